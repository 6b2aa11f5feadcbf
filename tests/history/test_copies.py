"""Copies in the streams of alerts: which are copies of what, and what is left of one that was taken back."""

from typing import Any

import msgspec
import pytest
from history.copies import is_copied, original_of, without

from kernel.log.positions import Kind, Stream


def copy(event: Any, type_: str = "alert") -> bytes:
    return msgspec.json.encode({"type": type_, "seq": 5, "data": {"alert": "a", "event": event}})


SAID = {"stream": "chat:a", "id": "17", "seq": 3, "data": {"text": "x"}}


@pytest.mark.parametrize(
    ("body", "original"),
    [
        (copy(SAID), "17"),
        (copy(SAID, "other"), None),
        (copy({**SAID, "stream": "location:a"}), None),
        (copy({"stream": "chat:a", "seq": 3}), None),
        (copy(None), None),
        (copy(5), None),
        (b'{"type":"alert"}', None),
        (b'{"type":"alert","data":[]}', None),
        (b"[]", None),
    ],
)
def test_what_a_copy_is_of(body: bytes, original: str | None) -> None:
    assert original_of(body) == original


def test_what_was_taken_back_is_blank_and_all_else_is_as_it_was() -> None:
    other = copy({**SAID, "id": "18"})
    blank, same = without([copy(SAID), other], {"17"})
    assert same is other
    assert msgspec.json.decode(blank) == {
        "type": "alert",
        "seq": 5,
        "data": {"alert": "a", "event": {**SAID, "data": {}, "retracted": True}},
    }


def test_only_alerts_streams_hold_copies() -> None:
    assert is_copied(Stream(Kind.BROADCAST, "alert-a"))
    assert not is_copied(Stream(Kind.CHAT, "alert-a"))
    assert not is_copied(Stream(Kind.BROADCAST, "an-alert-"))
