"""An event's JSON as viewers see it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import to_rfc3339
from kernel.log.positions import Kind
from schemas.events import read_event
from schemas.ingest import make_ingest
from schemas.rendering import data_of, render, rfc3339

PLACE = {
    **{"channel": "wc26-final", "seq": 812, "id": "7264", "server_ts": 1_767_225_600_007},
    **{"partition": 3, "n": None},
}


def accepted(kind: Kind, data: Any, **fields: Any) -> dict[str, Any]:
    return {**make_ingest(kind, "x", data, **fields), **PLACE}


def test_an_event_is_one_line_of_json_with_the_fields_of_the_protocol() -> None:
    event = accepted(Kind.CHAT, {"text": "a\nb"}, key="k", sender="ana", client_ts=1_767_225_600_000)
    body = render(Kind.CHAT, event)
    assert b"\n" not in body
    assert json.loads(body) == {
        "stream": "chat:wc26-final",
        "seq": 812,
        "id": "7264",
        "key": "k",
        "type": "x",
        "sender": "ana",
        "client_ts": "2026-01-01T00:00:00.000Z",
        "server_ts": "2026-01-01T00:00:00.007Z",
        "data": {"text": "a\nb"},
    }


@pytest.mark.parametrize(
    ("text", "target", "extra", "shown"),
    [
        ("", None, '{"attachments":["a"]}', {"text": "", "attachments": ["a"]}),
        ("x", None, '{"attachments":["a"]}', {"text": "x", "attachments": ["a"]}),
        ("", "7", '{"attachments":["a"]}', {"text": "", "target": "7", "attachments": ["a"]}),
        ("", "7", None, {"target": "7"}),
        ("", None, '{"question":"?"}', {"question": "?"}),
    ],
)
def test_a_message_with_attachments_has_a_text_though_it_is_empty(
    text: str, target: str | None, extra: str | None, shown: Any
) -> None:
    assert data_of(Kind.CHAT, {"text": text, "target": target, "extra": extra}) == shown


def test_an_event_of_a_numbered_channel_shows_its_number() -> None:
    event = {**accepted(Kind.CHAT, {"text": "a"}), "n": 41}
    body = render(Kind.CHAT, event)
    assert b'"id":"7264","n":41,"type"' in body
    assert read_event(body).n == 41


def test_what_the_producer_left_out_is_absent() -> None:
    shown = json.loads(render(Kind.BROADCAST, accepted(Kind.BROADCAST, {})))
    assert shown.keys() == {"stream", "seq", "id", "type", "server_ts", "data"}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Kind.CHAT, {"text": "a"}),
        (Kind.CHAT, {"text": "a", "target": "7", "mood": {"n": [1, None]}}),
        (Kind.LOCATION, {"lat": 1.5, "lon": -2.0}),
        (Kind.LOCATION, {"lat": 1.5, "lon": -2.0, "accuracy": 3.0, "heading": 4.0, "speed": 5.0, "floor": 2}),
        (Kind.BROADCAST, {}),
        (Kind.BROADCAST, {"a": "\u2028é", "b": [1.5, {"c": None}]}),
    ],
)
def test_data_comes_out_as_it_was_posted(kind: Kind, data: Any) -> None:
    event = accepted(kind, data)
    assert json.loads(render(kind, event))["data"] == data == data_of(kind, event["data"])


def test_a_typed_event_is_read_from_it_and_unknown_fields_are_skipped() -> None:
    body = render(Kind.CHAT, accepted(Kind.CHAT, {"text": "a"}))
    event = read_event(b'{"op":"event","prev":809,"later":1,' + body[1:])
    assert (event.stream, event.seq, event.prev, event.data) == ("chat:wc26-final", 812, 809, {"text": "a"})


@given(st.integers(0, 4_102_444_799_999))
def test_times_are_those_of_the_clock_module(ms: int) -> None:
    assert rfc3339(ms) == to_rfc3339(ms)
