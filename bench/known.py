"""What is known beside the log, told by hand: the table on disk of roles, without a Kafka to follow."""

import shutil
import tempfile
import weakref
from pathlib import Path

from control.channels.channel import ChannelRecord
from control.channels.table import ChannelTable, channel_type
from control.entity.store import Row
from control.entity.stores import open_store
from control.entity.view import View
from control.state import LISTS, ControlState
from kernel.clock import Clock
from kernel.settings.reading import Settings


class KnownByHand(ControlState):
    """Nothing is set for any channel until `set_channel`."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        type_ = channel_type(settings, listing=LISTS)
        self._type, self._view, self._next = type_, View(type_), 0
        directory = tempfile.mkdtemp(prefix="touchline-known-")
        weakref.finalize(self, shutil.rmtree, directory, ignore_errors=True)
        self._store = open_store("sqlite", Path(directory, "table"), {type_.name: "by hand"}, anew=True)
        self._store.finish_load({type_.name: {}})
        self._view.open(self._store)
        super().__init__(settings, clock, ChannelTable(self._view))
        self.caught_up("channels")

    def set_channel(self, record: ChannelRecord) -> None:
        """The channel's record comes, as the follower brings it."""
        key, value, self._next = record.channel.encode(), self._type.encode(record), self._next + 1
        flags = self._type.flags(key, record) if self._type.flags else 0
        name = self._type.name
        self._store.apply({name: [Row(key, 0, flags, None, value)]}, {name: {0: self._next}})
        self._view.changed([key])
