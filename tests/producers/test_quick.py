"""The straight way and the general way make the same records, and refuse alike, in the same words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from kernel.log.topics import topic_names
from kernel.settings.reading import load_settings
from producers import Chat, Location
from producers.posts import NOT_USUAL, AnyPost, Post, read_any, read_json_chat, read_post
from producers.sending.preparing import Preparing

TEXTS = some.one_of(
    some.sampled_from([None, "", "k" * 128, "k" * 129, 5]), some.text(min_size=1, max_size=140)
)
BOUNDS = some.sampled_from([946_684_800_000, 946_684_799_999, 4_102_444_799_999, 4_102_444_800_000, 1.5])
TIMES = some.one_of(some.none(), some.integers(-(10**13), 10**13), BOUNDS)
EDGES = some.sampled_from([True, None, "1", -90, 90.5, 180, -180.5, 360, 360.5, -0.1, 1e9, 10**400])
NUMBERS = some.one_of(some.floats(), some.integers(-400, 400), EDGES)
SHARED = {
    "channel": some.sampled_from(["final", "a b", "", "final~3", 7]),
    "sender": TEXTS,
    "key": TEXTS,
    "extra": some.sampled_from([None, {}, {"mood": 1}, {"text": "again"}, {"lat": 1}]),
    "client_ts": TIMES,
}
CHAT = {
    **SHARED,
    "text": some.one_of(TEXTS, some.just("x" * 9000), some.just("\ud800")),
    "type": some.sampled_from(["edit", "retract", "", None, 5, "other"]),
    "target": some.sampled_from([None, "", "12", "x", 12]),
}
LOCATION = {
    **SHARED,
    **dict.fromkeys(("lat", "lon", "accuracy", "heading", "speed"), NUMBERS),
    "type": some.sampled_from(["left", None]),
}
USUAL_CHAT = {"channel": "final", "text": "Olé", "sender": "ana", "key": "k", "client_ts": 1_767_225_600_000}
USUAL_LOCATION = {"channel": "final", "lat": 51.5, "lon": -0.25, "accuracy": 8.0, "sender": "ana"}


def changed(usual: dict[str, Any], fields: dict[str, Any]) -> Any:
    """The usual, with up to two of its fields otherwise: with more, hardly any would pass for usual."""
    names = some.lists(some.sampled_from(sorted(fields)), max_size=2, unique=True)
    changes = names.flatmap(lambda chosen: some.fixed_dictionaries({name: fields[name] for name in chosen}))
    return changes.map(lambda other: {**usual, **other})


CHATS = changed(USUAL_CHAT, CHAT).map(lambda fields: Chat(**fields))
LOCATIONS = changed(USUAL_LOCATION, LOCATION).map(lambda fields: Location(**fields))


def outcome(prepare: Callable[[Any], Any], given: Any) -> Any:
    try:
        return prepare(given)
    except TouchlineError as error:
        return error.code, error.message


@pytest.fixture(scope="module")
def ways() -> tuple[Preparing, Preparing]:
    """With and without the straight way."""
    quick, general = Preparing(topic_names(load_settings({}))), Preparing(topic_names(load_settings({})))
    general.quick = {}
    for prepare in (quick, general):
        # Only then is there a straight way: the channel has to be known.
        prepare(Post(kind=Kind.CHAT, channel="final", data={"text": "x"}))
    return quick, general


@settings(max_examples=600, deadline=None)
@given(post=some.one_of(CHATS, LOCATIONS))
@example(post=Chat("final", "x" * 1024 * 1024))
@example(post=Chat("final", "Olé", target="12"))
@example(post=Chat("final", "e" + "\u0301" * 301))
@example(post=Location("final", 51.5, -0.25, heading=360.5))
def test_both_ways_come_to_the_same(ways: tuple[Preparing, Preparing], post: AnyPost) -> None:
    quick, general = ways
    assert outcome(quick, post) == outcome(general, post)


def test_the_usual_goes_the_straight_way(ways: tuple[Preparing, Preparing]) -> None:
    quick, general = ways
    for post in (Chat(**USUAL_CHAT), Location(**USUAL_LOCATION), Location("final", -90, 180)):  # type: ignore[arg-type]
        assert quick.quick[type(post)](post) == general(post)
    for post in (Chat("final", "Olé", extra={"mood": 1}), Chat("final", "x", type="edit", target="1")):
        assert quick.quick[Chat](post) is None


WHEN = "2026-06-11T19:00:00Z"
JSON = changed(
    {"sender": "ana", "data": {}},
    {
        "type": some.sampled_from(["message", "position", "edit", "", None, 5]),
        "key": some.sampled_from(["k", "", None, 7]),
        "sender": some.sampled_from(["ana", "", None, []]),
        "client_ts": some.sampled_from([None, 1_767_225_600_000, WHEN, "soon", 1.5, 10**20]),
        "data": some.sampled_from([None, [], {}, "text"]),
        "other": some.just(1),
    },
)
DATA: Any = some.dictionaries(
    some.sampled_from(["text", "target", "lat", "lon", "accuracy", "heading", "speed", "mood"]),
    some.sampled_from(["x", "", None, 1, 1.5, -91, True, "12", [], 1e300]),
    max_size=2,
)
USUAL_DATA: dict[Kind, dict[str, Any]] = {
    Kind.CHAT: {"text": "Olé"},
    Kind.LOCATION: {"lat": 51, "lon": -0.25},
    Kind.BROADCAST: {},
}


def read_in_both_ways(ways: tuple[Preparing, Preparing], kind: Kind, value: bytes) -> tuple[Any, Any]:
    quick, general = ways
    stream = Stream(kind, "final")
    return (
        outcome(lambda it: quick(read_post(stream, it)), value),
        outcome(lambda it: general(read_any(stream, it)), value),
    )


def from_json(quick: Preparing, value: bytes) -> Any:
    """What comes of a message that never becomes a `Chat`; None: it is left to the others."""
    try:
        said = read_json_chat(value)
    except NOT_USUAL:
        return None
    made = quick.json_chats([said], "final")
    return None if made is None else next(made)


@settings(max_examples=600, deadline=None)
@given(kind=some.sampled_from(Kind), fields=JSON, more=DATA)
def test_json_is_read_alike_in_both_ways(
    ways: tuple[Preparing, Preparing], kind: Kind, fields: dict[str, Any], more: dict[str, Any]
) -> None:
    if fields["data"] == {}:
        fields = {**fields, "data": {**USUAL_DATA[kind], **more}}
    value = json.dumps(fields).encode()
    straight, general = read_in_both_ways(ways, kind, value)
    assert straight == general
    if kind is Kind.CHAT:
        assert from_json(ways[0], value) in (None, general)


def test_messages_that_came_as_json_are_made_together_if_all_are_usual(
    ways: tuple[Preparing, Preparing],
) -> None:
    quick, general = ways
    values = [json.dumps({"key": f"k{n}", "data": {"text": f"Olé {n}"}}).encode() for n in range(3)]
    said = [read_json_chat(value) for value in values]
    alone = [general(read_any(Stream(Kind.CHAT, "final"), value)) for value in values]
    made = quick.json_chats(said, "final")
    assert made is not None
    assert list(made) == alone
    bad_time = read_json_chat(b'{"client_ts": "soon", "data": {"text": "x"}}')
    assert quick.json_chats([*said, bad_time], "final") is None
    for other in (
        {"text": "x", "target": "12"},
        {"text": ""},
        {"text": "x" * 9000},
        {"text": "e" + "\u0301" * 301},
    ):
        odd = read_json_chat(json.dumps({"data": other}).encode())
        assert quick.json_chats([*said, odd], "final") is None
    assert quick.json_chats([read_json_chat(b'{"type":"x","data":{"text":"x"}}')], "final") is None


@pytest.mark.parametrize("value", [b"", b"{", b"[]", b'"x"', b'{"data":{"text":"\xff"}}', b'{"data":' * 5000])
def test_what_is_no_json_is_refused_in_the_same_words(
    ways: tuple[Preparing, Preparing], value: bytes
) -> None:
    straight, general = read_in_both_ways(ways, Kind.CHAT, value)
    assert straight == general


def test_the_usual_json_is_read_straight() -> None:
    assert isinstance(read_post(Stream(Kind.CHAT, "a"), b'{"data":{"text":"x"}}'), Chat)
    assert isinstance(read_post(Stream(Kind.LOCATION, "a"), b'{"data":{"lat":1,"lon":2}}'), Location)
    assert isinstance(read_post(Stream(Kind.CHAT, "a"), b'{"data":{"text":"x","mood":1}}'), Post)


def test_the_usual_message_becomes_a_record_straight_from_json(ways: tuple[Preparing, Preparing]) -> None:
    quick, general = ways
    usual = {"sender": "ana", "key": "k", "client_ts": WHEN, "data": {"text": "Olé"}}
    value = json.dumps(usual).encode()
    assert from_json(quick, value) == general(read_any(Stream(Kind.CHAT, "final"), value))
    edit = json.dumps({"type": "edit", "data": {"text": "Olé", "target": "12"}}).encode()
    assert from_json(quick, edit) is None
