"""What every table on disk has to do, whatever it is in."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from control.entity.stores.opening import check_store, open_store
from control.entity.stores.store import Row, Store
from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings

KINDS = ("sqlite", "rocksdb")
TOPICS = {"notes": "id-1", "tags": "id-2"}
Open = Callable[..., Store]


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    def make(topics: dict[str, str] = TOPICS, *, anew: bool = False) -> Store:
        return open_store(request.param, tmp_path / "role-0.db", topics, anew=anew)

    return make


def row(key: str, text: str = "", partition: int = 0, flags: int = 0, gone_ms: int | None = None) -> Row:
    return Row(key.encode(), partition, flags, gone_ms, text.encode())


def filled(opened: Open, *rows: Row) -> Store:
    store = opened()
    assert not store.loaded
    store.load("notes", rows)
    store.finish_load({"notes": {0: len(rows)}})
    return store


def test_of_what_it_is_filled_with_the_last_counts(opened: Open) -> None:
    many = [row(f"user-{n}", "x") for n in range(1000)]
    store = filled(opened, *many, row("user-7", "newer"), row("user-7", "elsewhere", 3))
    assert store.get("notes", b"user-7") == [row("user-7", "newer"), row("user-7", "elsewhere", 3)]
    assert store.get("notes", b"user-999") == [row("user-999", "x")]
    assert store.get("notes", b"user-") == []
    assert store.get("tags", b"user-7") == []
    assert (store.count("notes"), store.count("tags")) == (1001, 0)
    store.close()


def test_changes_and_their_offsets_are_there_when_it_is_opened_again(opened: Open) -> None:
    store = filled(opened, row("ana", "1"), row("ben", "1"))
    store.apply({"notes": [row("ana", "2"), row("cleo", "1", 1)]}, {"notes": {0: 5, 1: 9}, "tags": {2: 3}})
    assert store.get("notes", b"ana") == [row("ana", "2")]
    store.close()
    again = opened()
    assert again.loaded
    assert again.offsets("notes") == {0: 5, 1: 9}
    assert again.offsets("tags") == {2: 3}
    assert again.count("notes") == 3
    assert [r.value for name in (b"ana", b"ben", b"cleo") for r in again.get("notes", name)] == [
        b"2",
        b"1",
        b"1",
    ]
    again.close()


def test_keys_are_gone_through_in_their_order_by_prefix_and_page(opened: Open) -> None:
    keys = ["a", "a\0", "a\0b", "a\0b\0", "a\x01", "ab", "b", "\0", "\xff"]
    store = filled(opened, *(row(key) for key in reversed(keys)), row("a\0b", "other", 2))
    ordered = sorted(key.encode() for key in keys)
    found = [r.key for r in store.scan("notes", b"", b"", 100)]
    assert list(dict.fromkeys(found)) == ordered
    assert [r.key for r in store.scan("notes", b"a\0", b"", 100)] == [b"a\0", b"a\0b", b"a\0b", b"a\0b\0"]
    assert [r.partition for r in store.scan("notes", b"a\0b", b"", 100)] == [0, 2, 0]
    assert [r.key for r in store.scan("notes", b"a\0", b"a\0b", 100)] == [b"a\0b\0"]
    after, walked = b"", list[bytes]()
    while page := store.scan("notes", b"", after, 3):
        after = page[-1].key
        walked += dict.fromkeys(r.key for r in page)
    assert walked == ordered
    store.close()


def test_what_has_a_flag_is_listed_until_it_has_none(opened: Open) -> None:
    store = filled(opened, row("ana", flags=1), row("ben", flags=2), row("cleo", flags=3), row("dora"))
    assert sorted(r.key for r in store.listed("notes", 1)) == [b"ana", b"cleo"]
    store.apply({"notes": [row("ana"), row("dora", flags=1)]}, {"notes": {0: 9}})
    assert sorted(r.key for r in store.listed("notes", 1)) == [b"cleo", b"dora"]
    assert sorted(r.key for r in store.listed("notes", 2)) == [b"ben", b"cleo"]
    assert list(store.listed("tags", 3)) == []
    store.close()


def test_tombstones_are_rows_for_as_long_as_kafka_keeps_them(opened: Open) -> None:
    store = filled(opened, row("ana", "stamp", gone_ms=1000), row("ben", "stamp", gone_ms=2000), row("cleo"))
    store.apply({"notes": [row("cleo", "stamp", gone_ms=1000), row("dora")]}, {"notes": {0: 9}})
    assert store.get("notes", b"ana") == [row("ana", "stamp", gone_ms=1000)]
    store.apply({"notes": [row("ana", "again")]}, {"notes": {0: 10}})
    store.purge(1500)
    assert store.get("notes", b"ana") == [row("ana", "again")]
    assert store.get("notes", b"cleo") == []
    assert store.get("notes", b"ben") == [row("ben", "stamp", gone_ms=2000)]
    assert store.count("notes") == 3
    store.close()


def test_what_was_not_filled_or_is_of_other_topics_or_is_damaged_is_thrown_away(
    opened: Open, tmp_path: Path
) -> None:
    store = opened()
    store.load("notes", [row("ana", "half")])
    store.close()
    store = filled(opened, row("ana", "whole"))
    store.close()
    other = opened({**TOPICS, "notes": "made anew"})
    assert not other.loaded
    other.close()
    store = filled(opened, row("ana", "whole"))
    store.close()
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.name != "LOCK":
            file.write_bytes(b"nothing of it" * 1000)
    store = filled(opened, row("ben"))
    assert store.get("notes", b"ana") == []
    store.close()
    anew = opened(anew=True)
    assert not anew.loaded
    anew.close()


def test_a_process_that_is_killed_has_changes_and_their_offsets_or_neither(opened: Open) -> None:
    filled(opened, row("ana", "0")).close()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        store = opened()
        for number in range(1, 100_000):
            store.apply({"notes": [row("ana", str(number))]}, {"notes": {0: number}})
            if number == 200:
                os.write(write, b"x")
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.read(read, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    store = opened()
    assert store.loaded
    at = store.offsets("notes")[0]
    assert at >= 200
    assert store.get("notes", b"ana") == [row("ana", str(at))]
    store.close()


def test_a_store_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings({"TOUCHLINE_STATE_STORE": "rocksdb"})
    check_store(settings)
    monkeypatch.delitem(sys.modules, "rocksdict", raising=False)
    monkeypatch.setattr("kernel.extras.find_spec", lambda name: None if name == "rocksdict" else object())
    with pytest.raises(TouchlineError, match=r"pip install 'touchline\[rocksdb\]'"):
        check_store(settings)
