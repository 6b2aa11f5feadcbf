"""What producers may post, in Avro and in JSON, and what is refused with which code."""

import json
from typing import Any

import pytest

from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from schemas.codec import Codec
from schemas.ingest import decode_ingest, make_ingest

NONE: dict[str, Any] = {"key": None, "sender": None, "client_ts": None}


def chat(text: str = "hi", **fields: Any) -> bytes:
    return json.dumps({"data": {"text": text}, **fields}).encode()


def test_json_and_avro_give_the_same_event() -> None:
    body = {
        "type": "message",
        "key": "k",
        "sender": "ana",
        "client_ts": "2026-01-01T00:00:00.000Z",
        "data": {"text": "hi"},
    }
    event = decode_ingest(Kind.CHAT, json.dumps(body).encode())
    assert event == {
        "type": "message",
        "key": "k",
        "sender": "ana",
        "client_ts": 1_767_225_600_000,
        "data": {"text": "hi", "target": None, "extra": None},
    }
    assert decode_ingest(Kind.CHAT, Codec("ingest-chat").encode(event)) == event


@pytest.mark.parametrize(
    ("kind", "value", "type_", "data"),
    [
        (Kind.CHAT, {"data": {"text": "a"}}, "message", {"text": "a", "target": None, "extra": None}),
        (
            Kind.CHAT,
            {"data": {"text": "a", "mood": 1, "tags": ["x"]}},
            "message",
            {"text": "a", "target": None, "extra": '{"mood":1,"tags":["x"]}'},
        ),
        (
            Kind.CHAT,
            {"type": "retract", "data": {"target": "7264"}},
            "retract",
            {"text": "", "target": "7264", "extra": None},
        ),
        (
            Kind.LOCATION,
            {"data": {"lat": 1, "lon": -180}},
            "position",
            {"lat": 1.0, "lon": -180.0, "accuracy": None, "heading": None, "speed": None, "extra": None},
        ),
        (Kind.BROADCAST, {"type": "goal", "data": {"m": 1}}, "goal", {"json": '{"m":1}'}),
        (Kind.BROADCAST, {"type": "kick-off"}, "kick-off", {"json": "{}"}),
    ],
)
def test_each_kind_has_its_data(kind: Kind, value: Any, type_: str, data: Any) -> None:
    assert decode_ingest(kind, json.dumps(value).encode()) == {"type": type_, **NONE, "data": data}


DEEP = 10_000


def deep(levels: int) -> bytes:
    return b'{"type":"x","data":' + b'{"a":' * levels + b"1" + b"}" * levels + b"}"


REFUSED: list[tuple[str, Kind, bytes, str, str]] = [
    ("empty", Kind.CHAT, b"", "undecodable", "empty"),
    ("text", Kind.CHAT, b"hello", "undecodable", "neither"),
    ("array", Kind.CHAT, b"[]", "undecodable", "neither"),
    ("half", Kind.CHAT, b'{"data":', "undecodable", "not JSON"),
    ("utf-8", Kind.CHAT, b'{"data":{"text":"\xff"}}', "undecodable", "not JSON"),
    ("surrogate", Kind.CHAT, b'{"data":{"text":"\\ud800"}}', "undecodable", "not JSON"),
    ("nan", Kind.LOCATION, b'{"data":{"lat":NaN,"lon":1}}', "undecodable", "not JSON"),
    ("too large", Kind.CHAT, chat("x" * 1024 * 1024), "too_large", "bytes"),
    ("deep", Kind.BROADCAST, deep(DEEP), "invalid_event", "deeper"),
    ("33 levels", Kind.BROADCAST, deep(33), "invalid_event", "deeper"),
    ("data is a list", Kind.CHAT, b'{"data":[]}', "invalid_event", "object"),
    ("field", Kind.CHAT, b'{"dat":{}}', "invalid_event", "dat"),
    ("no text", Kind.CHAT, b"{}", "invalid_event", "data.text"),
    ("text type", Kind.CHAT, b'{"data":{"text":1}}', "invalid_event", "data.text"),
    ("no target", Kind.CHAT, chat(type="edit"), "invalid_event", "data.target"),
    ("target", Kind.CHAT, b'{"data":{"text":"a","target":"x"}}', "invalid_event", "data.target"),
    ("type", Kind.CHAT, chat(type="a b"), "invalid_event", "type is"),
    ("long type", Kind.CHAT, chat(type="a" * 65), "invalid_event", "type is"),
    ("no type", Kind.BROADCAST, b'{"data":{}}', "invalid_event", "type is missing"),
    ("empty key", Kind.CHAT, chat(key=""), "invalid_event", "key has 0"),
    ("long key", Kind.CHAT, chat(key="k" * 129), "invalid_event", "key has 129"),
    ("long sender", Kind.CHAT, chat(sender="k" * 129), "invalid_event", "sender has 129"),
    ("year 9999", Kind.CHAT, chat(client_ts="9999-01-01T00:00:00Z"), "invalid_event", "years"),
    ("seconds", Kind.CHAT, chat(client_ts=1_767_225_600), "invalid_event", "years"),
    ("no offset", Kind.CHAT, chat(client_ts="2026-01-01T00:00:00"), "invalid_event", "client_ts"),
    ("no lat", Kind.LOCATION, b'{"data":{"lon":1}}', "invalid_event", "data.lat is missing"),
    ("lat type", Kind.LOCATION, b'{"data":{"lat":"1","lon":1}}', "invalid_event", "not a number"),
    ("lat range", Kind.LOCATION, b'{"data":{"lat":90.1,"lon":1}}', "invalid_event", "data.lat"),
    ("lon range", Kind.LOCATION, b'{"data":{"lat":9,"lon":-180.5}}', "invalid_event", "data.lon"),
    ("huge", Kind.LOCATION, b'{"data":{"lat":1' + b"0" * 400 + b',"lon":1}}', "invalid_event", "data.lat"),
    ("accuracy", Kind.LOCATION, b'{"data":{"lat":9,"lon":1,"accuracy":-1}}', "invalid_event", "accuracy"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "value", "code", "says"), [case[1:] for case in REFUSED], ids=[c[0] for c in REFUSED]
)
def test_what_is_not_an_event_is_refused(kind: Kind, value: bytes, code: str, says: str) -> None:
    with pytest.raises(TouchlineError, match=says) as refused:
        decode_ingest(kind, value)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("kind", "data", "says"),
    [
        (Kind.LOCATION, {"lat": float("nan"), "lon": 1.0}, "data.lat"),
        (Kind.LOCATION, {"lat": 1.0, "lon": float("nan")}, "data.lon"),
        (Kind.LOCATION, {"lat": 1.0, "lon": float("inf")}, "data.lon"),
        (Kind.LOCATION, {"lat": 1.0, "lon": 1.0, "speed": float("nan")}, "speed"),
        (Kind.LOCATION, {"lat": 1.0, "lon": 1.0, "extra": '{"lat":2}'}, "repeats lat"),
        (Kind.CHAT, {"text": "a", "extra": '{"text":"b"}'}, "repeats text"),
        (Kind.CHAT, {"text": "a", "extra": "[]"}, "not a JSON object"),
        (Kind.BROADCAST, {"json": "{"}, "not JSON"),
        (Kind.BROADCAST, {"json": "[1]"}, "not a JSON object"),
        (Kind.BROADCAST, {"json": '{"a":1,\n"b":2}'}, "several lines"),
        (Kind.BROADCAST, {"json": '{"a":' * DEEP + "1" + "}" * DEEP}, "deeper"),
    ],
)
def test_values_that_only_avro_can_hold_are_refused_too(kind: Kind, data: Any, says: str) -> None:
    value = Codec(f"ingest-{kind}").encode({"type": "x", "data": data})
    with pytest.raises(TouchlineError, match=says) as refused:
        decode_ingest(kind, value)
    assert refused.value.code == "invalid_event"


def test_an_event_of_exactly_one_mebibyte_is_accepted() -> None:
    frame = len(chat(""))
    assert decode_ingest(Kind.CHAT, chat("x" * (1024 * 1024 - frame)))["type"] == "message"


def test_a_number_that_json_does_not_have_is_refused_and_not_turned_into_null() -> None:
    with pytest.raises(TouchlineError, match="not finite"):
        make_ingest(Kind.BROADCAST, "stats", {"xg": [float("nan")]})
    assert (
        make_ingest(Kind.BROADCAST, "stats", {"a": None, "b": "null"})["data"]["json"]
        == '{"a":null,"b":"null"}'
    )
