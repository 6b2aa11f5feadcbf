"""Results with `seq` and `id`, written for many at once: the same as one by one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.channels.epochs import Epoch
from control.numbering import Numbering, Placed
from gateway.events.positions import line, lines, without
from kernel.log.positions import Kind, Stream, make_id, make_seq, partition_of
from kernel.log.topics import TopicNames
from producers.sending.batch import Run

APPEND = 1_767_225_600_000
STREAM = Stream(Kind.CHAT, "final")
HERE = partition_of("final", 8)


def numbering(*, starts: int = 0) -> Numbering:
    epochs = [Epoch(3, "x", 8, {}), Epoch(4, "x", 8, {HERE: starts})]
    known = {"t.ingest.chat": epochs if starts else epochs[:1]}
    return Numbering(TopicNames("t"), lambda: known)


@settings(deadline=None)
@given(
    st.integers(0, 2**43 - 20_000) | st.integers(2**24 - 3000, 2**24) | st.integers(0, 12_000),
    st.lists(st.integers(1, 3000), min_size=1, max_size=5),
    st.booleans(),
)
def test_many_are_told_what_each_would_be(first: int, sizes: list[int], gap: bool) -> None:
    offsets = list(range(first, first + sum(sizes) // 4 + 1))
    if gap and len(offsets) > 2:
        offsets.pop(len(offsets) // 2)
    run = Run(list(range(len(offsets))), b"final", HERE, APPEND, offsets)
    told = lines(numbering(), STREAM, [run], len(offsets))
    assert isinstance(told, bytes)
    for text, offset in zip(told.splitlines(), offsets, strict=True):
        shown = {"ok": True, "seq": make_seq(3, offset), "id": make_id(Kind.CHAT, APPEND, HERE, offset)}
        assert json.loads(text) == shown


@pytest.mark.parametrize(
    ("at", "known"),
    [
        (Placed(HERE, 41, APPEND), True),
        (Placed(HERE, None, APPEND), False),
        (Placed(HERE, 41, None), False),
        (Placed(HERE ^ 1, 41, APPEND), False),
    ],
    ids=["where it belongs", "sent again", "no append time", "will be put back"],
)
def test_a_position_is_told_where_it_is_known(at: Placed, *, known: bool) -> None:
    position = numbering().position(Kind.CHAT, "final", at)
    assert (position is not None) is known
    if position is not None:
        text = json.loads(line(position, STREAM, b"final"))
        assert text == {"ok": True, "seq": make_seq(3, 41), "id": make_id(Kind.CHAT, APPEND, HERE, 41)}
    assert Numbering(TopicNames("t"), dict).position(Kind.CHAT, "final", at) is None, "no epochs yet"


def test_the_epoch_is_that_of_the_offset() -> None:
    known = numbering(starts=100)
    for offset, epoch in ((99, 3), (100, 4)):
        position = known.position(Kind.CHAT, "final", Placed(HERE, offset, APPEND))
        assert position is not None
        assert position.seq == make_seq(epoch, offset)
    old = Run([0], b"final", HERE, APPEND, [99])
    assert lines(known, STREAM, [old], 1) == {}


def test_of_a_repeat_it_is_told_only_on_which_lane_it_lies() -> None:
    spread = b'{"ok":true,"stream":"chat:hot~2","seq":7,"id":"1"}'
    known = b'{"ok":true,"seq":8,"id":"2"}'
    for told in (spread + b"\n" + known + b"\n", {0: spread, 1: known}):
        assert without(told, [0, 1]) == {0: b'{"ok":true,"stream":"chat:hot~2"}'}
        assert without(told, [1]) == {0: spread}
    assert without(known + b"\n", []) == known + b"\n"
