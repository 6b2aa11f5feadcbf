"""Recordings: NDJSON and CSV into events with their time, at the pace asked for; mistakes by line."""

import io

import pytest

from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from producers.recording import paced, read_csv, read_ndjson

CHAT = Stream.parse("chat:a")


def test_what_watch_prints_is_read_without_what_the_log_gives_anew() -> None:
    line = (
        b'{"op":"event","stream":"chat:final","seq":9,"prev":3,"id":"7","type":"message","sender":"ana",'
        b'"server_ts":"2026-01-01T00:00:00.500Z","data":{"text":"hi"}}\n\n'
    )
    [event] = read_ndjson(io.BytesIO(line), None)
    assert (event.number, event.at_ms) == (1, 1_767_225_600_500)
    assert (event.post.kind, event.post.channel, event.post.sender) == ("chat", "final", "ana")
    [moved] = read_ndjson(io.BytesIO(line), CHAT)
    assert moved.post.channel == "a"


def test_columns_are_mapped_and_the_others_are_data() -> None:
    text = "when,who,comment,mood\n2026-01-01T00:00:00Z,ana,hi,good\n2026-01-01T00:00:01Z,ben,ho,\n"
    columns = {"client_ts": "when", "sender": "who", "text": "comment"}
    events = list(read_csv(io.StringIO(text), CHAT, columns))
    assert [event.post.data for event in events] == [{"text": "hi", "mood": "good"}, {"text": "ho"}]
    assert [event.post.sender for event in events] == ["ana", "ben"]
    assert [at for at, _ in paced(events, 2.0)] == [0.0, 0.5]
    assert [at for at, _ in paced(events, None)] == [0.0, 0.0]


def test_numbers_of_a_location_are_numbers() -> None:
    [event] = read_csv(io.StringIO("latitude,lon\n1.5,2\n"), Stream.parse("location:a"), {"lat": "latitude"})
    assert event.post.data == {"lat": 1.5, "lon": 2.0}


def test_a_recording_that_jumps_back_keeps_its_order() -> None:
    lines = b"".join(
        b'{"client_ts":"2026-01-01T00:00:0%dZ","data":{"text":"x"}}\n' % second for second in (0, 5, 2, 6)
    )
    assert [at for at, _ in paced(read_ndjson(io.BytesIO(lines), CHAT), 1.0)] == [0.0, 5.0, 5.0, 6.0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"{", "Line 2 is not a JSON object"),
        (b'{"data":{"text":"x"}}', "Line 2 names no stream"),
        (b'{"stream":"chat:a","dat":{}}', "Line 2 is not an event"),
        (b'{"stream":"chat:a","client_ts":"noon","data":{}}', "Line 2 is not an event"),
    ],
)
def test_a_wrong_line_is_named(line: bytes, says: str) -> None:
    lines = io.BytesIO(b'{"stream":"chat:a","data":{"text":"x"}}\n' + line)
    with pytest.raises(TouchlineError, match=says):
        list(read_ndjson(lines, None))


def test_a_wrong_table_is_named() -> None:
    with pytest.raises(TouchlineError, match="no column 'comment'"):
        list(read_csv(io.StringIO("a,b\n"), CHAT, {"text": "comment"}))
    with pytest.raises(TouchlineError, match="Line 2 has more or fewer columns"):
        list(read_csv(io.StringIO("text\nhi,there\n"), CHAT, {}))
    with pytest.raises(TouchlineError, match="Line 2 has 'north' as lat"):
        list(read_csv(io.StringIO("lat,lon\nnorth,1\n"), Stream.parse("location:a"), {}))
