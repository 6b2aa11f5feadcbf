"""What a worker owns of inboxes: users' places, by their own inputs; and tallies, by their rooms' streams."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from control.entity.fold import EntityFold
from control.entity.known import Known
from control.entity.owner import Owner, Refuse
from control.entity.tables import Tables
from control.inbox.places import Ack, fold_places, of_old_cursor
from control.rooms.rooms import Rooms
from control.rooms.users import key_of
from kernel.access.signing import Signer
from kernel.errors import TouchlineError
from kernel.log.positions import partition_of
from kernel.log.records import Record, Write
from kernel.log.topics import TopicNames
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.registry import codec_for
from streams.fold.outputs.tallies import TalliesFold

_log = get_logger("touchline.inboxes")


class InboxOwner:
    """The folds, and who owns what."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        tables: Tables,
        rooms: Rooms,
        *,
        of_rooms: Owner,
        refuse: Refuse,
        partitions: Callable[[], Mapping[str, int]],
    ) -> None:
        """`of_rooms` owns rooms, and tallies with them; `partitions`: topic -> their number, as it is now."""
        inboxes = rooms.inboxes
        self._names, self._partitions = names, partitions
        self._ack, self._cursor = codec_for(settings, "ack"), codec_for(settings, "cursor")
        how = EntityFold(type=inboxes.places.type, fold=fold_places)
        self.places = Owner(names.acks, tables, decode=self._ack.decode, route=lambda _: how, refuse=refuse)
        self._of_rooms, self._places_view, self._tallies_view = of_rooms, inboxes.places, inboxes.tallies
        tally_type = inboxes.tallies.type
        self.tallies = TalliesFold(
            inboxes.tallies,
            lambda written: of_rooms.write(tally_type, written),
            tally_type.encode,
            rooms.of_channel,
            Signer(settings.auth),
        )

    @property
    def topics(self) -> frozenset[str]:
        """What is read for it in turns."""
        return frozenset({self._names.acks, self._names.cursors})

    def writes_late(self, write: Callable[[list[Write]], None]) -> None:
        """Where something older came after a record, that is written again."""

        def places(key: bytes, known: Known[Any]) -> None:
            write(self.places.rewrite(self._places_view.type, key, known))

        def tally(key: bytes, known: Known[Any]) -> None:
            write(self._of_rooms.rewrite(self._tallies_view.type, key, known))

        self._places_view.on_stale, self._tallies_view.on_stale = places, tally

    def erased(self, users: Iterable[str]) -> list[Write]:
        """These users' data were erased: how far they were is forgotten, by an input of their own."""
        writes: list[Write] = []
        for user in users:
            value, key = (
                self._ack.encode(msgspec.to_builtins(Ack(user=user, forget_places=True))),
                key_of(user),
            )
            partition = partition_of(key, self._partitions()[self._names.acks])
            writes.append(Write(self._names.acks, value, key.encode(), partition))
        return writes

    def old_cursors(self, records: list[Record]) -> list[Write]:
        """What edges of the first version have written goes on as if one of now had said it."""
        writes: list[Write] = []
        for record in records:
            if record.value is None:
                continue
            try:
                ack = of_old_cursor(self._cursor.decode(record.value))
                value = self._ack.encode(msgspec.to_builtins(ack))
            except (TouchlineError, KeyError, ValueError, TypeError) as error:
                _log.warning("an old cursor is passed over", offset=record.offset, why=str(error)[:300])
                continue
            key = key_of(ack.user)
            partition = partition_of(key, self._partitions()[self._names.acks])
            writes.append(Write(self._names.acks, value, key.encode(), partition))
        return writes
