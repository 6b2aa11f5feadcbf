"""All that a worker owns beside the streams: whose input a record is, and what partitions bring to whom."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from control.channels.commands import COMMANDS
from control.channels.table import State, fold_of
from control.counts import count_type
from control.entity.fold import EntityFold
from control.entity.owner import Owner
from control.entity.tables import Tables
from control.entity.types import EntityType, source_of
from control.revocations import Revocations
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.cluster import Cluster
from kernel.log.positions import Kind, Stream
from kernel.log.records import Partition, Record, Write
from kernel.log.topics import TopicNames
from kernel.process.lines import Lines
from kernel.process.metrics import COMMANDS_REFUSED, REJECTED
from kernel.settings.reading import Settings
from schemas.registry import catalog_for, codec_for
from schemas.rejections import Rejections
from streams.crowd.owner import CrowdOwner
from streams.fold.outputs.auditing import Auditing
from streams.fold.outputs.pinning import Pinning
from streams.owned.event_numbers import Counting
from streams.owned.feeds import FeedsOwner
from streams.owned.inboxes import InboxOwner
from streams.owned.members import Members
from streams.owned.moderators import Moderators, erased_in
from streams.owned.nearby import NearbyOwner
from streams.owned.scheduled import Posting
from streams.transport.sink import Sink

_lines = Lines("touchline.stream")
_FULL: Final = "There are as many channels as TOUCHLINE_STREAM_MAX_CHANNELS allows"


class Owners:
    """Each owner of states, and the commands that are folded into channels."""

    def __init__(
        self,
        settings: Settings,
        names: TopicNames,
        tables: Tables,
        state: ControlState,
        clock: Clock,
        *,
        partitions: Callable[[], Mapping[str, int]],
        has: Callable[[Stream], bool],
        forget: Callable[[str], None],
        write: Callable[[list[Write]], None],
    ) -> None:
        """`partitions` of topics, as they are now; `has` says whether a stream's partition is this worker's;
        `forget` is told of channels of which something has changed; `write` is for what no record caused."""
        self._settings, self._names, self._channels = settings, names, state.channels
        self._control = codec_for(settings, "control")
        self._rejections = Rejections(names.rejected, catalog_for(settings))
        channel_type = state.channels.view.type
        self.changes = self._owner(names.changes, tables, channel_type, source_of)
        # What was posted before there were changes counts too; its places in the records are of that time.
        self._commands = self._owner(names.control, tables, channel_type, lambda _, number: str(number))
        self.counting = Counting(count_type(settings), tables, owns=has, write=write)
        self.members = Members(settings, names, tables, state.rooms, partitions)
        self.members.writes_late(write, self.changes)
        self.inboxes = InboxOwner(
            *(settings, names, tables, state.rooms),
            of_rooms=self.members.owner,
            refuse=self._refuse,
            partitions=partitions,
            has=has,
        )
        self.inboxes.writes_late(write)
        self.moderators = Moderators(state.moderation, forget)
        self.moderators.writes_late(write, self.changes)
        self.nearby = NearbyOwner(settings, state.consent, write, self.changes, clock)
        feeds = FeedsOwner(settings, state, write, self.changes)
        self.scheduled = Posting(
            *(settings, names, state.schedule, self.changes, clock), partitions=partitions, write=write
        )
        owners = (self.members, self.moderators, self.nearby, feeds, self.scheduled)
        self._of_users = {name: how for owner in owners for name, how in owner.folds.items()}
        self.crowd = CrowdOwner(
            *(settings, names, tables, state.crowd),
            clock=clock,
            channel=state.channels.channel,
            sanctions=self.moderators.of,
            partitions=partitions,
            owns=self.owns,
            viewers=state.presence.watching,
            write=write,
        )
        broadcasts = names.ingest[Kind.BROADCAST]
        self.auditing = Auditing(broadcasts, lambda: partitions().get(broadcasts, 0), Signer(settings.auth))
        changes = names.changes
        self.pinning = Pinning(changes, lambda: partitions().get(changes, 0), self._control.encode)

    @property
    def topics(self) -> frozenset[str]:
        """What is read for them in turns."""
        return frozenset({self._names.control, self._names.changes, self.crowd.topic}) | self.inboxes.topics

    def owns(self, channel: str) -> bool:
        """Whether this worker is the one that changes the channel's record."""
        return self.changes.owns(channel.encode())

    async def opening(self, starts: Mapping[Partition, int], cluster: Cluster, sink: Sink) -> None:
        """These partitions are this worker's now."""
        names = self._names
        of_rooms = [names.rooms, names.user_rooms, names.blocks, names.places, names.tallies]
        of_nearby = [names.friends, names.sharing, names.fences]
        of_feeds = [names.follows, names.notifying, names.webhooks]
        of_moderators = [names.sanctions, names.reports]
        states = [
            names.channels,
            names.scheduled,
            *of_rooms,
            *of_nearby,
            *of_feeds,
            *of_moderators,
            *self.crowd.states,
        ]
        chat = names.ingest[Kind.CHAT]
        inputs = [names.changes, names.control, names.acks, names.reactions, chat]
        topics = [*inputs, names.counts, names.inside, *states]
        await sink.learn(topics)
        now = await asyncio.to_thread(cluster.describe, topics)
        for topic, owner in (
            (names.changes, self.changes),
            (names.control, self._commands),
            (chat, self.members.owner),
            (names.acks, self.inboxes.places),
            (names.reactions, self.crowd.owner),
        ):
            await owner.opening(
                [place.partition for place in starts if place.topic == topic],
                topic_id=now[topic].topic_id,
                inputs=now[topic].partitions,
                partitions={name: now[name].partitions for name in states},
            )
        self.counting.opening(now[names.counts].partitions)

    def fold(self, place: Partition, records: list[Record]) -> list[Write]:
        """What is to be written of inputs that are no events."""
        if place.topic == self._names.changes:
            folded = self.changes.fold(place, records)
            origin = self.changes.origin
            folded += self.auditing.orders(
                records, self._control.decode, lambda record: "{}:{}".format(*origin(place, record))
            )
            return [*folded, *self.inboxes.erased(erased_in(records, self._control.decode))]
        if place.topic == self._names.acks:
            return self.inboxes.places.fold(place, records)
        if place.topic == self.crowd.topic:
            return self.crowd.fold(place, records)
        if place.topic == self._names.cursors:
            return self.inboxes.old_cursors(records)
        # The rest of that topic is for edges and gateways.
        ours = [r for r in records if r.value is not None and not Revocations.wants(r.key or b"")]
        return self._commands.fold(place, ours)

    def sweep(self, now_ms: int) -> list[Write]:
        """What takes away what is kept of what is no more, and closes polls whose time is over."""
        swept = [*self.members.sweep(now_ms), *self.crowd.sweep()]
        return [*swept, *self.crowd.look()]

    def _owner(
        self, topic: str, tables: Tables, type_: EntityType[State], source: Callable[[str, int], str]
    ) -> Owner:
        fold = fold_of(type_, self._check_room)

        def route(command: dict[str, Any]) -> EntityFold[Any]:
            if (of_users := self._of_users.get(command["command"])) is not None:
                return of_users
            if command["command"] not in COMMANDS:
                raise TouchlineError("bad_request", f"There is no command {command['command'][:40]!r}.")
            return fold

        return Owner(
            topic, tables, decode=self._control.decode, route=route, refuse=self._refuse, source=source
        )

    def _check_room(self, channel: str) -> None:
        if channel not in self._channels and len(self._channels) >= self._settings.stream.max_channels:
            raise TouchlineError("limit_reached", f"{_FULL}: nothing can be set for another one.")

    def _refuse(self, place: Partition, record: Record, command: Any, error: TouchlineError) -> list[Write]:
        COMMANDS_REFUSED.inc()
        REJECTED.labels(error.code).inc()
        name = (record.key or b"").decode("utf-8", "replace")
        _lines.warning("a command was refused", error.code, channel=name[:128], reason=error.message[:300])
        command = command or {}
        sender, key = command.get("actor"), command.get("id")
        return [self._rejections.write(place.topic, place.partition, record, error, sender=sender, key=key)]
