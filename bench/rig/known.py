"""What is known beside the log, told by hand: the table on disk of roles, without a Kafka to follow."""

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from control.channels.channel import ChannelRecord
from control.channels.table import ChannelTable, channel_type
from control.entity.stores.opening import open_store
from control.entity.stores.store import Row
from control.entity.types import AnyType
from control.entity.view import View
from control.state import LISTS, ControlState
from kernel.clock import Clock
from kernel.settings.reading import Settings


class TablesByHand:
    """A role's tables (`control.entity.tables`), without a follower."""

    def __init__(self, types: Iterable[AnyType], directory: Path) -> None:
        self._views: dict[str, View[Any]] = {type_.name: View(type_) for type_ in types}
        identity = dict.fromkeys(self._views, "by hand")
        self._store = open_store("sqlite", directory / "table", identity, anew=True)
        # Whoever holds it has no end of its own.
        weakref.finalize(self, self._store.close)
        self._store.finish_load({name: {} for name in self._views})
        self._next = 0
        for view in self._views.values():
            view.open(self._store)

    def view(self, type_: AnyType) -> View[Any]:
        """The entities of this type."""
        return self._views[type_.name]

    async def at_end(self) -> None:
        """There is nothing to wait for."""
        await asyncio.sleep(0)

    def put(self, type_: AnyType, key: bytes, value: bytes) -> None:
        """A record comes."""
        self._next += 1
        flags = type_.flags(key, type_.decode(value)) if type_.flags else 0
        self._store.apply({type_.name: [Row(key, 0, flags, None, value)]}, {type_.name: {0: self._next}})
        view = self.view(type_)
        if key in view.in_use:
            view.changed({key})


class KnownByHand(ControlState):
    """Nothing is set for any channel until `set_channel`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        directory = tempfile.mkdtemp(prefix="touchline-known-")
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._type = channel_type(settings, listing=LISTS)
        self._by_hand = TablesByHand([self._type], Path(directory))
        super().__init__(settings, clock, ChannelTable(self._by_hand.view(self._type)))
        self.caught_up("channels")

    def set_channel(self, record: ChannelRecord) -> None:
        """The channel's record comes."""
        self._by_hand.put(self._type, record.channel.encode(), self._type.encode(record))
