"""What is looked at of every channel with an audience is little, however much is set for it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from control.channels.channel import ChannelRecord, Settings
from control.channels.table import ChannelTable, State, channel_type
from control.entity.stores.opening import open_store
from control.entity.stores.store import Row, Store
from control.entity.view import View
from kernel.settings.reading import Settings as Deployment
from streams.upkeep.audiences import Spreads

TYPE = channel_type(Deployment())
READERS = tuple(f"reader-{n:04d}" for n in range(4000))


def row(channel: str, **settings: object) -> Row:
    record = ChannelRecord(channel=channel, settings=Settings(readers=READERS, **settings))  # type: ignore[arg-type]
    return Row(channel.encode(), 0, 0, None, TYPE.encode(record))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = open_store("sqlite", tmp_path / "role-0.db", {"channels": "id"}, anew=False)
    made.load("channels", [row(f"large-{n}", min_shards=n + 1) for n in range(20)])
    made.finish_load({"channels": {0: 20}})
    yield made
    made.close()


def test_of_a_record_its_spread_is_kept_until_it_changes_though_the_record_is_forgotten(store: Store) -> None:
    view: View[State] = View(TYPE, remembered_bytes=1)
    channels = ChannelTable(view)
    spreads = Spreads(channels)
    view.still_used = lambda key: key.decode() in spreads
    view.open(store)
    assert spreads.of("large-0", read=False) is None
    for number in range(20):
        kept = spreads.of(f"large-{number}")
        assert kept is not None
        assert (kept.settings.min_shards, kept.settings.readers) == (number + 1, ())
    assert b"large-0" in view.in_use, "or nobody would be told that it changes"
    store.apply({"channels": [row("large-0", min_shards=9)]}, {"channels": {0: 21}})
    view.changed({b"large-0"})
    changed = spreads.of("large-0")
    assert changed is not None
    assert changed.settings.min_shards == 9
    assert len(channels.channel("large-0").settings.readers) == 4000
    spreads.only(["large-7"])
    assert "large-7" in spreads
    assert spreads.of("large-0", read=False) is None


def test_records_are_had_a_few_at_a_time(store: Store) -> None:
    view: View[State] = View(TYPE)
    channels = ChannelTable(view)
    view.open(store)
    found: list[str] = []
    after, more = "", True
    while more:
        page, after = channels.page(after, 6)
        assert len(page) <= 6
        found, more = found + [record.channel for record in page], bool(after)
    assert found == sorted(f"large-{n}" for n in range(20))
