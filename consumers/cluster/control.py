"""What lies beside the log, told to those parts of an edge that it concerns."""

import asyncio
from collections.abc import Callable
from typing import Final

from consumers.messenger.signals import Signals
from consumers.protocol.messages import Rejected
from consumers.service.service import Service
from control.channels.table import ChannelTable
from control.edges.budget_shares import DoorShares
from control.state import ControlState
from control.topic_tables.follower import TableThread
from control.topic_tables.table import Row, TopicTable
from kernel.access.users import ALERT, audit_channel
from kernel.clock import Clock
from kernel.log.topics import topic_names
from kernel.process.health import Health
from kernel.settings.reading import Settings
from schemas.registry import codec_for

#: How long a room's stream has to say what its record says.
_BY_RECORD_S: Final = 0.7


class ControlTopics:
    """Channels' settings, the other edges' heartbeats and shares, revocations, and refused events."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        service: Service,
        state: ControlState,
        *,
        shares: DoorShares,
        signals: Signals,
    ) -> None:
        self._shares, self._signals = shares, signals
        self._settings, self._clock, self._state, self._service = settings, clock, state, service
        self._kind_of = {topic: kind for kind, topic in topic_names(settings).ingest.items()}
        state.channels.on_change += [service.subscriptions.widen, service.subscriptions.recheck]
        if isinstance(state.channels, ChannelTable):
            # Whoever watches a channel hears of its changes, though nobody asked for it lately.
            state.channels.view.still_used = lambda key: service.subscriptions.watches(key.decode())
        self._watch_rooms(state)
        self._watch_sanctions(state)
        state.revocations.on_revoke.append(service.admission.revoke)
        state.on_alert.append(lambda row: service.subscriptions.recheck(f"{ALERT}{row.key}"))

    def _watch_rooms(self, state: ControlState) -> None:
        """Whoever is taken out of a room hears it by the room's stream. Where that has not come a moment
        after the room's record, as while partitions move, the record counts."""
        if not state.rooms.followed:
            return
        recheck, view, loop = (
            self._service.subscriptions.recheck,
            state.rooms.rooms,
            asyncio.get_running_loop(),
        )
        here = self._service.messenger.here

        def changed(key: bytes) -> None:
            channel = key.decode("utf-8", "replace")
            loop.call_later(_BY_RECORD_S, recheck, channel)
            if (audit := audit_channel(channel)) is not None:
                loop.call_later(_BY_RECORD_S, recheck, audit)
            here.channel_changed(channel)

        def used(key: bytes) -> bool:
            channel = key.decode("utf-8", "replace")
            watches = self._service.subscriptions.watches
            audited = watches(audit_channel(channel) or channel)
            return watches(channel) or audited or bool(here.users_of(channel))

        view.on_forget, view.still_used = changed, used

    def _watch_sanctions(self, state: ControlState) -> None:
        """Who is banned from a channel has heard the last of it."""
        recheck, loop = self._service.subscriptions.recheck, asyncio.get_running_loop()
        here = self._service.messenger.here

        def changed(channel: str) -> None:
            # Soon, not now: what belongs to this change is still being taken in.
            loop.call_soon(recheck, channel)
            loop.call_soon(here.sanctioned, channel)

        def used(key: bytes) -> bool:
            channel = key.removesuffix(b"\0").decode("utf-8", "replace")
            return self._service.subscriptions.watches(channel) or bool(here.users_of(channel))

        state.moderation.on_change.append(changed)
        if state.moderation.opened:
            state.moderation.sanctions.still_used = used

    def follow(self, name: str, health: Health, on_read: Callable[[], None]) -> TableThread:
        """Follow them in a thread; `on_read` says that what was there has been learnt."""
        refused = TopicTable(
            topic_names(self._settings).rejected,
            codec_for(self._settings, "rejection"),
            self._refused,
            whole=False,
        )
        shares = TopicTable(
            topic_names(self._settings).shares,
            codec_for(self._settings, "share"),
            self._shares.learn,
            whole=False,
        )
        signals = TopicTable(
            topic_names(self._settings).signals,
            codec_for(self._settings, "signal"),
            self._signals.learn,
            whole=False,
        )
        self._state.on_known.append(on_read)
        thread = TableThread(
            *(self._settings, self._clock, [*self._state.tables(), refused, shares, signals]),
            name=f"edge-{name}-tables".replace(":", "-"),
            health=health,
            condition="tables",
            on_caught_up=self._state.caught_up,
        )
        thread.start()
        return thread

    def _refused(self, row: Row) -> None:
        if (record := row.value) is None:
            return
        kind = self._kind_of.get(record["topic"])
        if kind is None or not (record["sender"] and record["key"] and record["record_key"]):
            return
        stream = f"{kind}:{record['record_key'].decode('utf-8', 'replace')}"
        message = Rejected(stream=stream, key=record["key"], code=record["reason"], message=record["message"])
        self._service.publishing.rejected(record["sender"], message)
