"""Straight code gives what fastavro gives, for any value and for any bytes; or it gives way."""

import io
from functools import cache
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalog import Version, built_in, without_logical_types
from schemas.codec import Codec
from schemas.compiled import UNUSUAL, compile_decoder, compile_encoder, compile_head, varint

PLAIN = {
    name: without_logical_types(built_in().schemas[built_in().latest(name)]) for name in built_in().names
}
COMPILED = [name for name, schema in PLAIN.items() if compile_encoder(schema, b"")]


#: A busy machine is no failure.
patient = settings(deadline=None, max_examples=60)


@cache
def parsed(name: str) -> Any:
    return fastavro.parse_schema(PLAIN[name])


def slow_encode(name: str, value: Any) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, parsed(name), value)
    return out.getvalue()


def slow_decode(name: str, value: bytes) -> Any:
    source = io.BytesIO(value)
    found = fastavro.schemaless_reader(source, parsed(name), None)
    assert source.tell() == len(value)
    return found


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a schema."""
    if isinstance(kind, list):
        return st.one_of([values(part) for part in kind])
    if isinstance(kind, dict) and kind["type"] == "array":
        return st.lists(values(kind["items"]), max_size=3)
    if isinstance(kind, dict) and kind["type"] == "map":
        return st.dictionaries(st.text(max_size=5), values(kind["values"]), max_size=3)
    if isinstance(kind, dict):
        return st.fixed_dictionaries({field["name"]: values(field["type"]) for field in kind["fields"]})
    simple: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "ChannelSettings": st.deferred(lambda: values(_settings_kind())),
        "string": st.text(max_size=200),
        "bytes": st.binary(max_size=200),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(2**40, 2**48)),
        "double": st.floats(allow_nan=False),
    }
    return simple[kind]


def _settings_kind() -> Any:
    """The type that the schema `channel` names a second time."""
    return next(field["type"] for field in PLAIN["channel"]["fields"] if field["name"] == "settings")


def test_what_is_written_60_000_times_a_second_is_compiled() -> None:
    hot = {f"{what}-{kind}" for what in ("ingest", "event") for kind in ("chat", "location", "broadcast")}
    assert {*hot, "fanout", "rejection"} <= set(COMPILED)
    assert all(compile_decoder(PLAIN[name], 0) for name in COMPILED)


@pytest.mark.parametrize("name", COMPILED)
@patient
@given(st.data())
def test_it_encodes_and_decodes_as_fastavro_does(name: str, data: st.DataObject) -> None:
    encode, decode = compile_encoder(PLAIN[name], b""), compile_decoder(PLAIN[name], 0)
    assert encode is not None
    assert decode is not None
    value = data.draw(values(PLAIN[name]))
    expected = slow_encode(name, value)
    assert encode(value) == expected
    assert decode(expected) == slow_decode(name, expected) == value


@pytest.mark.parametrize("kind", ["chat", "location", "broadcast"])
@patient
@given(st.data())
def test_what_was_posted_is_joined_to_an_event_as_it_stands(kind: str, data: st.DataObject) -> None:
    event, posted = Codec(f"event-{kind}", version=1), Codec(f"ingest-{kind}")
    joining = event.joining(posted)
    assert joining is not None
    plain = without_logical_types(built_in().schemas[Version(f"event-{kind}", 1)])
    value = data.draw(values(plain))
    own = ("channel", "seq", "id", "server_ts", "partition")
    rest = posted.encode({name: part for name, part in value.items() if name not in own})
    joined = joining(*(value[name] for name in own), rest[len(posted.prefix) :])
    assert joined == event.encode(value)


@patient
@given(values(PLAIN["ingest-chat"]), st.booleans(), st.booleans())
def test_fields_that_are_fixed_are_no_arguments(value: Any, of_type: bool, of_data: bool) -> None:
    codec = Codec("ingest-chat")
    fields = ("type", "key", "sender", "client_ts", "text", "target", "extra")  # as the schema has them
    leaves = {name: {**value, **value["data"]}[name] for name in fields}
    chosen = {"type": of_type, "extra": of_data, "target": of_data, "key": False}
    encode = codec.flat({name: leaves[name] for name, fixed in chosen.items() if fixed})
    assert encode is not None
    assert encode(*(part for name, part in leaves.items() if not chosen.get(name))) == codec.encode(value)


def test_a_schema_that_does_not_end_as_the_other_is_not_joined() -> None:
    assert Codec("event-chat").joining(Codec("ingest-location")) is None
    assert Codec("ingest-chat").joining(Codec("event-chat")) is None


OLDER = [version for name in COMPILED for version in built_in().versions(name)[:-1]]


def test_events_of_the_version_before_are_read_by_straight_code_too() -> None:
    assert {"event-chat", "event-location", "event-broadcast", "fanout"} <= {v.name for v in OLDER}


@pytest.mark.parametrize("version", OLDER, ids=str)
@patient
@given(st.data())
def test_an_older_version_is_read_as_fastavro_reads_it(version: Version, data: st.DataObject) -> None:
    writer, latest = without_logical_types(built_in().schemas[version]), PLAIN[version.name]
    decode = compile_decoder(writer, 0, latest)
    assert decode is not None
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(writer), data.draw(values(writer)))
    expected: Any = fastavro.schemaless_reader(
        io.BytesIO(out.getvalue()), fastavro.parse_schema(writer), parsed(version.name)
    )
    found = decode(out.getvalue())
    assert found == expected
    assert list(found) == [field["name"] for field in latest["fields"]]


def test_a_reader_of_other_types_is_left_to_fastavro() -> None:
    latest = PLAIN["event-chat"]

    def other(**changes: Any) -> Any:
        fields = [field | changes if field["name"] == "seq" else field for field in latest["fields"]]
        return {**latest, "fields": fields}

    assert compile_decoder(latest, 0, other(type="double")) is None
    assert compile_decoder(latest, 0, other(name="place")) is None, "it has no default"


@pytest.mark.parametrize("name", ["ingest-chat", "event-location"])
@patient
@given(st.data())
def test_bytes_of_others_are_read_as_fastavro_reads_them_or_not_at_all(
    name: str, data: st.DataObject
) -> None:
    decode = compile_decoder(PLAIN[name], 0)
    assert decode is not None
    value = bytearray(slow_encode(name, data.draw(values(PLAIN[name]))))
    for _ in range(data.draw(st.integers(0, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(value))
    except UNUSUAL:
        return
    # repr, because a NaN is not equal to itself.
    assert repr(found) == repr(slow_decode(name, bytes(value)))


@patient
@given(st.data())
def test_a_head_is_what_fastavro_reads_of_it_whatever_lies_behind(data: st.DataObject) -> None:
    head = compile_head(PLAIN["channel"], 0, "settings")
    assert head is not None
    value = data.draw(values(PLAIN["channel"]))
    found = head(slow_encode("channel", value))
    assert list(found) == ["channel", "lanes", "versions", "settings"]
    assert found == {name: value[name] for name in found}


@patient
@given(st.data())
def test_a_head_of_an_older_version_is_read_as_the_latest(data: st.DataObject) -> None:
    writer = without_logical_types(built_in().schemas[Version("channel", 1)])
    head = compile_head(writer, 0, "settings", PLAIN["channel"])
    assert head is not None
    out = io.BytesIO()
    schema = fastavro.parse_schema(writer)
    fastavro.schemaless_writer(out, schema, data.draw(values(writer)))
    whole: Any = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), schema, parsed("channel"))
    found = head(out.getvalue())
    assert found == {name: whole[name] for name in found}
    assert found["settings"]["numbered"] is False


@patient
@given(st.data())
def test_a_damaged_head_is_read_as_fastavro_reads_it_or_not_at_all(data: st.DataObject) -> None:
    head = compile_head(PLAIN["channel"], 0, "settings")
    assert head is not None
    value = bytearray(slow_encode("channel", data.draw(values(PLAIN["channel"]))))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = head(bytes(value))
    except UNUSUAL:
        return
    try:
        whole = fastavro.schemaless_reader(io.BytesIO(bytes(value)), parsed("channel"), None)
    except Exception:  # what lies behind it is damaged
        return
    assert isinstance(whole, dict)
    assert repr(found) == repr({name: whole[name] for name in found})


@pytest.mark.parametrize(
    "unusual",
    [
        {},
        {"type": "message", "key": None, "sender": None, "client_ts": None, "data": {"text": "hi"}},
        {"type": 1, "key": None, "sender": None, "client_ts": None, "data": {}},
        {
            "type": "x" * 9000,
            "key": None,
            "sender": None,
            "client_ts": None,
            "data": {"text": "", "target": None, "extra": None},
        },
        {
            "type": "m",
            "key": None,
            "sender": None,
            "client_ts": 1.5,
            "data": {"text": "", "target": None, "extra": None},
        },
    ],
)
def test_it_gives_way_on_what_it_does_not_know(unusual: Any) -> None:
    encode = compile_encoder(PLAIN["ingest-chat"], b"")
    assert encode is not None
    with pytest.raises(UNUSUAL):
        encode(unusual)


@given(st.integers(-(2**63), 2**63 - 1))
def test_varints_are_those_of_avro(number: int) -> None:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema("long"), number)
    assert varint(number) == out.getvalue()


@pytest.mark.parametrize("last", [2, 59, 127])
def test_a_number_of_more_than_64_bits_is_none(last: int) -> None:
    decode = compile_decoder({"fields": [{"name": "at", "type": "long"}]}, 0)
    assert decode is not None
    largest = b"\xfe" + b"\xff" * 8
    assert decode(largest + b"\1") == {"at": 2**63 - 1}
    with pytest.raises(UNUSUAL):
        decode(largest + bytes((last,)))
