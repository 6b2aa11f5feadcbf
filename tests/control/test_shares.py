"""How many of a table each user has is what the table says, also while it is read and when it changes."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from control.entity.stores.opening import open_store
from control.entity.stores.store import Row, Store
from control.entity.user_quotas import Shares
from control.entity.view import View
from tests.control.notes import Note, note_type


def row(key: str, owner: str | None, revision: int = 1) -> Row:
    """A note of somebody's: here its text says whose."""
    gone_ms = 1 if owner is None else None
    value = msgspec.json.encode(Note(user=key, text=owner or "", revision=revision))
    return Row(key.encode(), 0, 0, gone_ms, value)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store("sqlite", tmp_path / "role-0.db", {"notes": "id"}, anew=False)
    made.load("notes", [row(f"n{n:03d}", "ana" if n % 3 else "ben") for n in range(300)])
    made.finish_load({"notes": {0: 300}})
    yield made
    made.close()


async def test_each_has_what_the_table_says_and_what_changes_counts(store: Store) -> None:
    view = View(note_type("notes"))
    view.open(store)
    shares = Shares(lambda: view, lambda note: note.text)
    assert (await shares.of("ana"), await shares.of("ben"), await shares.of("cat")) == (200, 100, 0)
    changes = [row("n000", "cat", 2), row("n001", None, 2), row("x", "cat", 1)]
    store.apply({"notes": changes}, {"notes": {0: 400}})
    keys = {change.key for change in changes}
    assert view.of_interest(keys) == keys, "or the follower would not tell of them"
    view.changed(keys)
    assert (await shares.of("ana"), await shares.of("ben"), await shares.of("cat")) == (199, 99, 2)
