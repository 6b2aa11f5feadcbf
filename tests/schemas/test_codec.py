"""The codec: Confluent's wire format, every version readable, and bytes of others refused with a reason."""

import contextlib
import io
import struct
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import Catalog, Version, built_in
from schemas.codec import Codec, Undecodable

CHAT: dict[str, Any] = {
    "type": "message",
    "key": "k1",
    "sender": "ana",
    "client_ts": 1_767_225_600_000,
    "data": {"text": "Olé ⚽", "target": None, "extra": None},
}


def test_what_is_encoded_is_decoded() -> None:
    codec = Codec("ingest-chat")
    assert codec.decode(codec.encode(CHAT)) == CHAT


def test_the_bytes_are_those_of_avro_with_logical_types_after_confluents_header() -> None:
    codec = Codec("ingest-chat")
    value = codec.encode(CHAT)
    assert struct.unpack_from(">BI", value) == (0, codec.schema_id)
    schema = fastavro.parse_schema(built_in().schemas[Version("ingest-chat", 1)])
    decoded: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    assert decoded["client_ts"].isoformat() == "2026-01-01T00:00:00+00:00"
    assert decoded["data"] == CHAT["data"]


def test_fields_that_are_left_out_take_their_defaults() -> None:
    codec = Codec("ingest-chat")
    decoded = codec.decode(codec.encode({"data": {"text": "hi"}}))
    assert decoded == {
        "type": "message",
        "key": None,
        "sender": None,
        "client_ts": None,
        "data": {"text": "hi", "target": None, "extra": None},
    }


def test_every_schema_has_an_id_a_codec_and_a_text_on_each_field() -> None:
    catalog = built_in()
    for name in catalog.names:
        Codec(name)
    for version, schema in catalog.schemas.items():
        for record in _records(schema):
            assert record["doc"], version
            for field in record["fields"]:
                assert field["doc"].endswith((".", "…")), f"{version} {field['name']}"


def _records(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [record for part in schema for record in _records(part)]
    if not isinstance(schema, dict):
        return []
    inner = [record for field in schema.get("fields", ()) for record in _records(field["type"])]
    here = [schema] if schema.get("type") == "record" else []
    return here + inner + _records(schema.get("items")) + _records(schema.get("values"))


def test_an_older_version_is_read_as_the_latest() -> None:
    old = built_in().schemas[Version("cursor", 1)]
    new = {**old, "fields": [*old["fields"], {"name": "app", "type": "string", "default": "web"}]}
    catalog = Catalog(
        {Version("cursor", 1): old, Version("cursor", 2): new},
        {Version("cursor", 1): 1, Version("cursor", 2): 2},
    )
    value = Codec("cursor").encode({"user": "ana", "device": "d", "at": 1, "acked": {"chat:a": 7}})
    as_version_1 = struct.pack(">BI", 0, 1) + value[5:]
    assert Codec("cursor", catalog).decode(as_version_1) == {
        "user": "ana",
        "device": "d",
        "at": 1,
        "acked": {"chat:a": 7},
        "app": "web",
    }


def test_what_says_no_more_than_an_older_version_can_is_written_in_it() -> None:
    place = {"channel": "a", "seq": 1, "id": "2", "server_ts": 3, "partition": 4}
    event: dict[str, Any] = {**place, **CHAT, "n": None, "members_at": None}
    first, latest = Codec("event-chat", version=1), Codec("event-chat")
    assert first.schema_id == built_in().id_of(Version("event-chat", 1)) < latest.schema_id
    assert latest.decode(first.encode(event)) == first.decode(latest.encode(event)) == event
    numbered = {**event, "n": 7}
    assert first.decode(latest.encode(numbered)) == numbered
    assert first.decode(first.encode(numbered)) == event, "it cannot say more"


def test_with_a_registrys_ids_both_ids_are_read() -> None:
    ours, theirs = (
        Codec("ingest-chat"),
        Codec("ingest-chat", built_in().with_ids({Version("ingest-chat", 1): 17})),
    )
    assert theirs.encode(CHAT)[:5] == b"\0\0\0\0\x11"
    assert theirs.decode(ours.encode(CHAT)) == theirs.decode(theirs.encode(CHAT)) == CHAT


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [
        (b"", "undecodable", "header"),
        (b"\0\0\0", "undecodable", "header"),
        (b"\1" + Codec("ingest-chat").encode(CHAT)[1:], "undecodable", "header"),
        (b"\0\0\0\0\x63" + Codec("ingest-chat").encode(CHAT)[5:], "unknown_schema", "99 is not one"),
        (
            Codec("ingest-location").encode({"data": {"lat": 1.0, "lon": 2.0}}),
            "unknown_schema",
            "ingest-location/v1",
        ),
        (Codec("ingest-chat").encode(CHAT)[:-3], "undecodable", "ingest-chat"),
        (Codec("ingest-chat").encode(CHAT) + b"\0", "undecodable", "1 bytes follow"),
    ],
)
def test_bytes_of_others_are_refused_with_the_reason(value: bytes, code: str, says: str) -> None:
    with pytest.raises(Undecodable, match=says) as refused:
        Codec("ingest-chat").decode(value)
    assert refused.value.code == code


@given(st.binary(max_size=80))
def test_no_bytes_raise_anything_but_undecodable(rest: bytes) -> None:
    codec = Codec("ingest-chat")
    with contextlib.suppress(Undecodable):
        codec.decode(codec.encode(CHAT)[:5] + rest)


def test_every_prefix_of_a_value_is_refused() -> None:
    codec = Codec("ingest-chat")
    value = codec.encode(CHAT)
    for length in range(len(value)):
        with pytest.raises(Undecodable):
            codec.decode(value[:length])
