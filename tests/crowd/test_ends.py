"""Polls end at their time, and those that are open cost nothing each second."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from control.crowd.totals import OPEN, VOTES, PollState, Total, total_key, total_type
from control.entity.stores.opening import open_store
from control.entity.stores.store import Row, Store
from control.entity.types import Stamp
from control.entity.view import View
from kernel.log.positions import Stream
from kernel.settings.reading import Settings
from streams.crowd.poll_deadlines import Ends

TYPE = total_type(Settings(), listing=True)
STREAM = Stream.parse("chat:stand")


def key(poll: int) -> bytes:
    return total_key(STREAM, f"{VOTES}{poll}")


def row(poll: int, *, revision: int = 1, **state: int | None) -> Row:
    asked = PollState(question="?", opened=1, closes=state.get("closes"), closed=state.get("closed"))
    total = Total(stream=str(STREAM), target=str(poll), poll=asked)
    return Row(key(poll), 0, OPEN, None, TYPE.encode(TYPE.with_stamp(total, Stamp(revision, {}))))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store("sqlite", tmp_path / "role-0.db", {"totals": "id"}, anew=False)
    made.load("totals", [row(1, closes=5000), row(2), row(3, closes=9000), row(4, closed=10)])
    made.finish_load({"totals": {0: 4}})
    yield made
    made.close()


def ends_of(store: Store, read: list[bytes], *, mine: bool = True) -> tuple[View[Total], Ends]:
    def decode(value: bytes) -> Total:
        read.append(value)
        return TYPE.decode(value)

    view = View(replace(TYPE, decode=decode), remembered=1)
    view.open(store)
    read.clear()
    return view, Ends(view, lambda _: mine)


def numbers(found: list[tuple[bytes, Total]]) -> list[int]:
    return sorted(int(total.target) for _, total in found)


def test_each_is_ended_a_second_after_its_time_and_ends_that_nobody_heard_of_at_once(store: Store) -> None:
    _, ends = ends_of(store, [])
    assert numbers(ends.due(5999, ())) == [4]
    assert numbers(ends.due(6000, ())) == [1, 4]
    assert numbers(ends.due(99_000, {key(4)})) == [1, 3]
    assert ends_of(store, [], mine=False)[1].due(99_000, ()) == []


def test_what_is_open_is_read_once_until_it_changes(store: Store) -> None:
    read: list[bytes] = []
    view, ends = ends_of(store, read)
    ends.due(0, {key(4)})
    assert len(read) == 4
    for now in range(10):
        ends.due(now, {key(4)})
    assert len(read) == 4
    store.apply({"totals": [row(2, revision=2, closed=7)]}, {"totals": {0: 5}})
    view.changed({key(2)})
    ends.changed(key(2))
    assert numbers(ends.due(0, {key(4)})) == [2]


def test_thousands_are_read_in_turns(store: Store) -> None:
    store.apply({"totals": [row(n) for n in range(10, 1210)]}, {"totals": {0: 2000}})
    read: list[bytes] = []
    _, ends = ends_of(store, read)
    sizes = []
    for _ in range(4):
        read.clear()
        ends.due(0, {key(4)})
        sizes.append(len(read))
    assert sizes == [500, 500, 204, 0]
