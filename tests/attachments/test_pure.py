"""What needs no server: ids, ranges, announcements, signatures, and what the fold says of attachments."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.attachments.references import names_key, posted_key, retracted_key
from control.entity.writer import partition_of_key
from gateway.attachments.ranges import Range, asked, sent
from kernel.access.presigned import UrlSigner
from kernel.attachment_ids import first_of, is_attachment, made_at, new_attachment
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.records import Record
from kernel.settings.reading import load_settings
from schemas.checks import check_ingest
from schemas.codec import Codec
from schemas.ingest import make_ingest
from streams.fold.judge import Judge
from tests.streams.judging import APPEND, NAMES, make_judge

ONE, TWO = new_attachment(APPEND, b"1" * 14), new_attachment(APPEND, b"2" * 14)


@given(st.integers(0, (1 << 48) - 1), st.integers(0, (1 << 48) - 1), st.binary(min_size=14, max_size=14))
def test_ids_are_in_the_order_of_their_times(one: int, other: int, random: bytes) -> None:
    first, second = new_attachment(one, random), new_attachment(other, random)
    assert is_attachment(first)
    assert made_at(first) == one
    assert (first < second) is (one < other)
    assert first_of(one) <= first
    assert one == other or (first_of(other) <= first) is (one > other)


@pytest.mark.parametrize("text", ["", "0" * 31, "0" * 33, "w" * 32, "A" * 32, "../" + "0" * 29, 7, None])
def test_what_is_no_id(text: object) -> None:
    assert not is_attachment(text)


@pytest.mark.parametrize(
    ("header", "range_"),
    [
        (None, None),
        ("bytes=0-0", Range(0, 1)),
        ("bytes=5-", Range(5, 5)),
        ("bytes=-3", Range(7, 3)),
        ("bytes=-30", Range(0, 10)),
        ("bytes=3-99999999", Range(3, 7)),
        ("bytes=4-3", None),
        ("bytes=-", None),
        ("bytes=1-2,4-5", None),
        ("bytes=" + "9" * 400 + "-", None),
    ],
)
def test_ranges(header: str | None, range_: Range | None) -> None:
    assert asked(header, 10) == range_


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=-0", "bytes=99-100"])
def test_ranges_of_which_nothing_is_there(header: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says no more
        asked(header, 10)


@given(st.text(max_size=40), st.integers(0, 1 << 50))
def test_any_range_is_one_of_the_file_or_none(header: str, size: int) -> None:
    try:
        found = asked(header, size)
    except ValueError:
        return
    assert found is None or (found.start >= 0 and found.length > 0 and found.start + found.length <= size)


@pytest.mark.parametrize(
    "header", ["bytes 0-9/10", "bytes 4-9/10", "bytes 4-5/10"], ids=["all", "the rest", "a part"]
)
def test_what_of_a_file_is_sent(header: str) -> None:
    first, last = map(int, header.removeprefix("bytes ").removesuffix("/10").split("-"))
    assert sent(header, 10) == Range(first, last - first + 1)


@pytest.mark.parametrize("header", ["bytes 0-10/10", "bytes 5-4/10", "bytes 0-9/11", "bytes */10", "0-9/10"])
def test_what_is_sent_is_part_of_what_was_announced(header: str) -> None:
    with pytest.raises(TouchlineError) as refused:
        sent(header, 10)
    assert refused.value.code == "bad_request"


def signer(*keys: str, secret: str = "") -> UrlSigner:
    return UrlSigner(
        load_settings(
            {"TOUCHLINE_ATTACHMENTS_KEYS": ",".join(keys), "TOUCHLINE_AUTH_INTERNAL_SECRET": secret},
        )
    )


def test_keys_are_rotated() -> None:
    old, new = "o" * 32, "n" * 32
    before, meanwhile, after = signer(old), signer(new, old), signer(new)
    signed_before, signed_meanwhile = before.sign("a", "b"), meanwhile.sign("a", "b")
    assert meanwhile.signed(signed_before, "a", "b")
    assert not after.signed(signed_before, "a", "b")
    assert after.signed(signed_meanwhile, "a", "b")
    assert not before.signed(signed_meanwhile, "a", "b")


def test_texts_that_run_together_are_signed_apart() -> None:
    one = signer(secret="s" * 32)
    assert one.signed(one.sign("ab", "c"), "ab", "c")
    assert not one.signed(one.sign("ab", "c"), "a", "bc")
    assert not one.signed(one.sign("ab", "c"), "ab", "c", "")
    assert not one.signed("käse", "ab", "c")
    with pytest.raises(TouchlineError, match="TOUCHLINE_ATTACHMENTS_KEYS"):
        signer().sign("a")
    assert not signer().signed("", "a")


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "look"])
def test_a_message_with_attachments_needs_no_text(text: str) -> None:
    event = make_ingest(Kind.CHAT, None, {"text": text, "attachments": [ONE]})
    check_ingest(Kind.CHAT, event)


@pytest.mark.parametrize("given_", [[], [ONE, ONE], "x", [ONE] * 33, [1], {}])
def test_a_message_without_sound_attachments_needs_text(given_: Any) -> None:
    with pytest.raises(TouchlineError) as refused:
        make_ingest(Kind.CHAT, None, {"text": "", "attachments": given_})
    assert refused.value.code == "invalid_event"


def test_what_can_be_no_attachment_is_none_that_is_there() -> None:
    with pytest.raises(TouchlineError) as refused:
        make_ingest(Kind.CHAT, None, {"text": "", "attachments": ["x"]})
    assert refused.value.code == "not_found"


def judge() -> Judge:
    return make_judge(attachments=4)


def said(offset: int, **data: Any) -> Record:
    type_ = data.pop("type", "message")
    body = {"type": type_, "sender": "ana", "data": data}
    return Record(offset, APPEND, b"final", json.dumps(body).encode())


def marks(judge: Judge, *records: Record) -> dict[bytes, dict[str, Any]]:
    """Key -> what is said, of the topic of attachments."""
    writes = [w for w in judge.fold(records).writes if w.topic == NAMES.attachments]
    for write in writes:
        assert write.partition == partition_of_key(write.key or b"", 4)
    return {w.key or b"": Codec("attachment").decode(w.value or b"") for w in writes}


def test_the_fold_says_which_message_has_an_attachment() -> None:
    event = judge().fold([said(41, text="look", attachments=[ONE, TWO])]).writes[0]
    posted = Codec("event-chat").decode(event.value or b"")
    found = marks(judge(), said(41, text="look", attachments=[ONE, TWO]))
    assert set(found) == {
        key for one in (ONE, TWO) for key in (posted_key(one, posted["id"]), names_key(posted["id"], one))
    }
    mark = found[posted_key(ONE, posted["id"])]
    expected = ("posted", "chat:final", posted["seq"], posted["id"], "ana", APPEND)
    assert tuple(mark[name] for name in ("what", "stream", "seq", "event", "user", "at")) == expected
    assert marks(judge(), said(41, text="look", attachments=[ONE, TWO])) == found  # read again


def test_an_edit_hangs_on_its_message_and_a_retraction_is_of_its_stream() -> None:
    edit = marks(judge(), said(42, type="edit", text="look", target="77", attachments=[ONE]))
    assert names_key("77", ONE) in edit
    assert next(iter(edit.values()))["target"] == "77"
    assert set(marks(judge(), said(43, type="retract", target="77"))) == {retracted_key("77", "chat:final")}


def test_the_fold_says_nothing_of_other_messages() -> None:
    assert (
        marks(judge(), said(1, text="hello"), said(2, text="attachments"), said(3, text="x", a="\u00e4"))
        == {}
    )
    assert marks(make_judge(), said(1, text="look", attachments=[ONE])) == {}  # there is no such topic
