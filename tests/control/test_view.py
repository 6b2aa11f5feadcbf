"""What a role holds of entities in memory: so many, so many bytes of them, and lists without reading them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from control.entity.stores.opening import open_store
from control.entity.stores.store import Row, Store
from control.entity.view import View
from tests.control.notes import LISTED, Note, note_type

LARGE, SMALL = 10_000, 10


def row(key: str, text: str, *, listed: bool = False, revision: int = 1, partition: int = 0) -> Row:
    note = Note(user=key, text=text, listed=listed, revision=revision)
    return Row(key.encode(), partition, LISTED * listed, None, msgspec.json.encode(note))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store("sqlite", tmp_path / "role-0.db", {"notes": "id"}, anew=False)
    rows = [row(f"large-{n}", "x" * LARGE, listed=n % 2 == 0) for n in range(40)]
    rows += [row(f"small-{n}", "x" * SMALL) for n in range(40)]
    made.load("notes", rows)
    made.finish_load({"notes": {0: len(rows)}})
    yield made
    made.close()


def view(store: Store, *, few_listed: bool = True, decoded: list[bytes] | None = None) -> View[Note]:
    type_ = note_type("notes", listing=True)
    told = [] if decoded is None else decoded

    def decode(value: bytes) -> Note:
        told.append(value)
        return type_.decode(value)

    counted = replace(type_, few_listed=few_listed, decode=decode)
    made = View(counted, remembered=50, remembered_bytes=5 * LARGE)
    made.open(store)
    return made


def test_what_is_remembered_has_a_bound_in_bytes_and_one_in_number(store: Store) -> None:
    known = view(store)
    for number in range(40):
        known.get(f"small-{number}")
    for number in range(40):
        assert known.get(f"large-{number}") is not None
        assert known.bytes <= 5 * LARGE + 1000
    assert len(known.in_use) <= 5
    for number in range(40):
        known.get(f"small-{number}")
    assert known.get("large-39") is not None, "what is not remembered is read again"


def test_what_is_large_is_not_held_for_those_who_watch_it_and_they_hear_of_changes_all_the_same(
    store: Store,
) -> None:
    decoded, heard = list[bytes](), list[tuple[bytes, str]]()
    known = view(store, decoded=decoded)

    def hear(key: bytes, state: Note | None) -> None:
        heard.append((key, "" if state is None else state.text[:3]))

    for number in range(40):
        state = known.watch(f"large-{number}", hear)
        assert state is not None
    assert known.bytes <= 5 * LARGE + 1000
    for number in range(10):  # they are read again, and not held
        known.get(f"large-{number}")
    assert len(decoded) == 50
    store.apply({"notes": [row("large-0", "new", revision=2)]}, {"notes": {0: 100}})
    assert b"large-0" in known.in_use, "or the follower would not tell of it"
    known.changed({b"large-0"})
    assert heard == [(b"large-0", "new")]
    known.unwatch("large-0", hear)
    known.unwatch("large-1", hear)
    assert b"large-1" not in known.in_use


@pytest.mark.parametrize("few", [True, False])
def test_lists_are_what_the_table_says_and_only_what_is_wanted_is_read(store: Store, few: bool) -> None:
    known = view(store, few_listed=few)
    assert {key for key, _ in known.listed(LISTED)} == {f"large-{n}".encode() for n in range(0, 40, 2)}
    fresh = view(store, few_listed=few)
    assert [key for key, _ in fresh.listed(LISTED, lambda key: key == b"large-8")] == [b"large-8"]
    assert fresh.in_use == {b"large-8"}
    store.apply(
        {"notes": [row("large-8", "x", revision=2), row("small-1", "x", revision=2, listed=True)]},
        {"notes": {0: 100}},
    )
    fresh.changed({b"large-8", b"small-1"})
    assert {b"small-1"} == {key for key, _ in fresh.listed(LISTED)} - {
        f"large-{n}".encode() for n in range(40)
    }
    assert b"large-8" not in set(fresh.keys_listed(LISTED))


def test_what_lies_on_the_disk_can_be_read_before_what_is_held_is_told_of_it(store: Store) -> None:
    known = view(store)
    assert known.get("small-0") == known.on_disk(b"small-0")
    store.apply({"notes": [row("small-0", "new", revision=2)]}, {"notes": {0: 100}})
    held, read = known.get("small-0"), known.on_disk(b"small-0")
    assert (held and held.text, read and read.text) == ("x" * SMALL, "new")
    known.changed({b"small-0"})
    assert known.get("small-0") == read
