"""The straight way and the general way make the same records, and refuse alike, in the same words."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from kernel.errors import TouchlineError
from kernel.positions import Kind, Stream
from kernel.settings import load_settings
from kernel.topics import topic_names
from producers import Chat, Location
from producers.posts import AnyPost, Post, read_any, read_post
from producers.preparing import Preparing

TEXTS = some.one_of(some.none(), some.just(""), some.text(max_size=140), some.just("k" * 129), some.just(5))
BOUNDS = some.sampled_from([946_684_800_000, 4_102_444_800_000, 1.5])
TIMES = some.one_of(some.none(), some.integers(-(10**13), 10**13), BOUNDS)
NUMBERS = some.one_of(
    some.floats(), some.integers(-400, 400), some.sampled_from([True, None, "1", 90, -180, 360, 1e9, 10**400])
)
EXTRA = some.sampled_from([None, {}, {"mood": 1}, {"text": "again"}, {"lat": 1}])
CHANNELS = some.sampled_from(["final", "a b", "", "final~3", 7])
CHATS: Any = some.builds(
    Chat,
    CHANNELS,
    some.one_of(TEXTS, some.just("x" * 9000), some.just("\ud800")),
    sender=TEXTS,
    key=TEXTS,
    type=some.sampled_from(["message", "edit", "retract", "", None, 5, "other"]),
    target=some.sampled_from([None, "", "12", "x", 12]),
    extra=EXTRA,
    client_ts=TIMES,
)
LOCATIONS: Any = some.builds(
    Location,
    CHANNELS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    sender=TEXTS,
    key=TEXTS,
    type=some.sampled_from(["position", "left", None]),
    extra=EXTRA,
    client_ts=TIMES,
)


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
        prepare(Chat("final", "so that the channel is known"))
    return quick, general


@settings(max_examples=400, deadline=None)
@given(post=some.one_of(CHATS, LOCATIONS))
@example(post=Chat("final", "Olé", sender="ana", key="k", client_ts=1_767_225_600_000))
@example(post=Location("final", 51.5, -0.25, accuracy=8, heading=0.0, speed=1.4, sender="ana"))
@example(post=Location("final", -90, 180))
@example(post=Location("final", float("nan"), 0.0))
@example(post=Chat("final", "x" * 1024 * 1024))
def test_both_ways_come_to_the_same(ways: tuple[Preparing, Preparing], post: AnyPost) -> None:
    quick, general = ways
    assert outcome(quick, post) == outcome(general, post)


def test_the_usual_goes_the_straight_way(ways: tuple[Preparing, Preparing]) -> None:
    quick, general = ways
    for post in (Chat("final", "Olé", sender="ana", key="k"), Location("final", 51.5, -0.25, accuracy=8)):
        assert quick.quick[type(post)](post) == general(post)
    for post in (Chat("final", "Olé", extra={"mood": 1}), Chat("final", "x", type="edit", target="1")):
        assert quick.quick[Chat](post) is None


WHEN = "2026-06-11T19:00:00Z"
JSON: Any = some.fixed_dictionaries(
    {},
    optional={
        "type": some.sampled_from(["message", "position", "edit", "", None, 5]),
        "key": some.sampled_from(["k", "", None, 7]),
        "sender": some.sampled_from(["ana", "", None, []]),
        "client_ts": some.sampled_from(
            [None, 1_767_225_600_000, "2026-06-11T19:00:00Z", "soon", 1.5, 10**20]
        ),
        "data": some.one_of(
            some.sampled_from([None, [], {}, "text"]),
            some.dictionaries(
                some.sampled_from(["text", "target", "lat", "lon", "accuracy", "speed", "mood"]),
                some.sampled_from(["x", "", None, 1, 1.5, -91, True, "12", [], 1e300]),
            ),
        ),
        "other": some.just(1),
    },
)
BROKEN = some.sampled_from([b"", b"{", b"[]", b'"x"', b'{"data":{"text":"\xff"}}', b'{"data":' * 5000])


@settings(max_examples=400, deadline=None)
@given(
    kind=some.sampled_from(Kind),
    value=some.one_of(JSON.map(lambda found: json.dumps(found).encode()), BROKEN),
)
@example(
    kind=Kind.CHAT, value=b' {"data":{"text":"Ol\xc3\xa9"},"sender":"ana","client_ts":"2026-06-11T19:00:00Z"}'
)
@example(kind=Kind.LOCATION, value=b'{"data":{"lat":51,"lon":-0.25,"accuracy":8},"key":"k"}')
def test_json_is_read_alike_in_both_ways(ways: tuple[Preparing, Preparing], kind: Kind, value: bytes) -> None:
    quick, general = ways
    stream = Stream(kind, "final")
    assert outcome(lambda it: quick(read_post(stream, it)), value) == outcome(
        lambda it: general(read_any(stream, it)), value
    )


def test_the_usual_json_is_read_straight() -> None:
    assert isinstance(read_post(Stream(Kind.CHAT, "a"), b'{"data":{"text":"x"}}'), Chat)
    assert isinstance(read_post(Stream(Kind.LOCATION, "a"), b'{"data":{"lat":1,"lon":2}}'), Location)
    assert isinstance(read_post(Stream(Kind.CHAT, "a"), b'{"data":{"text":"x","mood":1}}'), Post)
