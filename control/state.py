"""What is known beside the log, as edges, workers, indexers and gateways are given it: one fold for all."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final, Literal

from control.channels.acl import ChannelAcl, covering
from control.channels.channel import ChannelRecord, Layout, layout_of
from control.channels.lists import CLOSED, EXPIRING, SPREAD
from control.channels.retention import Retention
from control.channels.table import ChannelTable, channel_type
from control.crowd.crowd import Crowd
from control.edges.presence import Presence
from control.entity.tables import Tables
from control.entity.types import AnyType
from control.feeds.feeds import Feeds
from control.moderation.moderation import Moderation
from control.nearby.consent import Consent
from control.numbering import Numbering
from control.outlets.outlets import Outlets
from control.revocations import Revocations
from control.rooms.membership import Spans
from control.rooms.rooms import Rooms
from control.schedule.schedule import Schedule
from control.topic_tables.table import Learn, Row, TopicTable
from kernel.access.tokens import Grants
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.long_work import LongWork
from kernel.log.positions import Shard
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

Part = Literal["presence", "revocations", "alerts"]
EVERYTHING: Final[tuple[Part, ...]] = ("presence", "revocations", "alerts")
#: All lists of channels that a role may ask for.
LISTS: Final = CLOSED | EXPIRING | SPREAD


#: Roles that know of reactions and polls.
_ASKS_FOR_CROWDS: Final = frozenset({"stream", "edge", "gateway"})
#: And of scheduled posts.
_ASKS_FOR_SCHEDULES: Final = frozenset({"stream", "gateway"})


def weight(size: int) -> int:
    """As how many channels one counts whose record has so many bytes."""
    return 1 + size // 1024


class ControlState:
    """Channels with their readers and retention, who watches what, which tokens are revoked.

    It is fed by a table on disk (`on_disk`) and by `tables`, which somebody follows
    (`control.topic_tables.follower`); all else asks.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        channels: ChannelTable,
        rooms: Rooms | None = None,
        *,
        moderation: Moderation | None = None,
        consent: Consent | None = None,
        feeds: Feeds | None = None,
        outlets: Outlets | None = None,
        crowd: Crowd | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        """`rooms` lie on the disk too, and are closed where there is none; so does what moderators do, and
        `consent`: without it nobody is anybody's friend."""
        self.rooms, self.consent = rooms or Rooms(settings), consent or Consent(settings)
        self.feeds, self.outlets = feeds or Feeds(settings), outlets or Outlets(settings)
        self.moderation = moderation or Moderation(settings, clock)
        #: Reactions and polls.
        self.crowd = crowd or Crowd(settings)
        self.schedule = schedule or Schedule(settings)
        self.rooms.banned = self.moderation.banned
        self.rooms.erases = lambda: self.moderation.erases
        self.rooms.erased_at = self.moderation.erased_at
        names = topic_names(settings)
        self.clock, self.presence = clock, Presence(clock)
        #: From where a record lies to its event's place.
        self.numbering = Numbering(names, lambda: self.channels.epochs)
        self.revocations = Revocations()
        self.channels = channels
        self.readers = ChannelAcl(
            *(self._readers_of, self._closed, self.rooms.readable, self.consent.reads_fence),
            banned=self.moderation.banned,
            leads=self.rooms.led_by,
        )
        self.retention = Retention(settings.indexer, self._class_of, self._expiring)
        self._missing = {"tables", "channels"}
        #: Called once all that was there at the start is known.
        self.on_known: list[Callable[[], None]] = []
        #: Whether all that was there at the start is known.
        self.known = False
        #: Called with each record of an alert.
        self.on_alert: list[Learn] = [self._alert]
        control = codec_for(settings, "control")
        self.table: Mapping[Part, TopicTable] = {
            "presence": TopicTable(names.presence, codec_for(settings, "presence"), self.presence.learn),
            "revocations": TopicTable(names.control, control, self._revoke, wants=Revocations.wants),
            "alerts": TopicTable(names.alerts, control, self._alerts),
        }

    @classmethod
    def on_disk(
        cls,
        settings: Settings,
        clock: Clock,
        role: str,
        *,
        listing: int = 0,
        also: Sequence[AnyType] = (),
        on_failed: Callable[[BaseException], None],
        remembered: int | None = None,
    ) -> "tuple[ControlState, Tables]":
        """With channels in a table on disk, which is to be started too, and other entities beside them."""
        type_, rooms = channel_type(settings, listing=listing), Rooms(settings)
        moderation, consent = Moderation(settings, clock), Consent(settings, lists_public=role == "edge")
        feeds, outlets = Feeds(settings), Outlets(settings)
        crowd = Crowd(settings, owns=role == "stream", voices=role == "gateway")
        of_crowds = crowd.types if role in _ASKS_FOR_CROWDS else ()
        schedule = Schedule(settings, owns=role == "stream")
        of_schedules = schedule.types if role in _ASKS_FOR_SCHEDULES else ()
        of_all = [type_, *rooms.types, *moderation.types, *consent.types, *feeds.types, *outlets.types]
        tables = Tables(
            *(settings, role, [*of_all, *of_crowds, *of_schedules, *also]),
            clock=clock,
            on_ready=lambda: state.caught_up("channels"),
            on_failed=on_failed,
            remembered=remembered or settings.state.remembered,
        )
        rooms.open(tables)
        moderation.open(tables)
        consent.open(tables)
        feeds.open(tables)
        outlets.open(tables)
        if of_crowds:
            crowd.open(tables)
        if of_schedules:
            schedule.open(tables)
        consent.has_blocked = rooms.has_blocked
        state = cls(
            *(settings, clock, ChannelTable(tables.view(type_)), rooms),
            moderation=moderation,
            consent=consent,
            feeds=feeds,
            outlets=outlets,
            crowd=crowd,
            schedule=schedule,
        )
        return state, tables

    def tables(self, *parts: Part) -> list[TopicTable]:
        """What has to be followed for these parts; none named: all of them."""
        return [self.table[part] for part in parts or EVERYTHING]

    def caught_up(self, what: Literal["tables", "channels"] = "tables") -> None:
        """All that was there of these is taken in."""
        self._missing.discard(what)
        if what == "tables":
            self.presence.settle()
        if not self._missing and not self.known:
            self.known = True
            for tell in self.on_known:
                tell()

    # ── channels ─────────────────────────────────────────────────────────────────────────────────────

    def channel(self, name: str) -> ChannelRecord:
        """The record that holds for a channel or a lane."""
        return self.channels.channel(name)

    def layout(self, name: str) -> Layout:
        """How a channel is spread now."""
        return layout_of(self.channels.channel(name))

    def shard(self, name: str, viewer: str) -> Shard:
        """The shard of the newest version that a viewer is hashed to."""
        return self.layout(name).shard(name, viewer)

    # ── who may ──────────────────────────────────────────────────────────────────────────────────────

    def may_read(self, grants: Grants, channel: str) -> bool:
        """Whether the channel's settings let this user read. Raises `unavailable` before they are known."""
        self._must_be_known()
        return self.readers.allow(grants, channel)

    def readable(self, grants: Grants, channel: str) -> Spans:
        """What of a channel's streams this user may read. Raises `unavailable` before that is known."""
        self._must_be_known()
        return self.readers.readable(grants, channel)

    async def hidden_in_turns(self, grants: Grants, patterns: Collection[str]) -> list[str]:
        """The channels that this user may not read, of those that these patterns of their token cover, and
        where they are banned; with room for others in between, as there may be many. Raises `unavailable`."""
        self._must_be_known()
        banned = self.moderation.banned_from(grants.user)
        found = [channel for channel in banned if not grants.allows("admin", channel)]
        work = LongWork(self.clock)
        for channel in self.readers.hiding(grants, patterns):
            if channel is not None:
                found.append(channel)
            if work.over:
                await work.let_by()
        return found

    def closed_by(self, grants: Grants) -> int:
        """How many channels are closed of those that this user administers; a large one counts as many."""
        self._must_be_known()
        covered = covering(f":{pattern}" for pattern in grants.can.get("admin", ()))
        return sum(
            weight(self.channels.size_listed(name))
            for name in self.channels.names_listed(CLOSED)
            if covered(name) and grants.allows("admin", name)
        )

    def revokes(self, grants: Grants) -> bool:
        """Whether the token of these grants was revoked. Raises `unavailable` before that is known."""
        self._must_be_known()
        return self.revocations.covers(grants)

    def _must_be_known(self) -> None:
        if not self.known:
            raise TouchlineError(
                "unavailable",
                "The channels' settings have not been read from Kafka yet: try again in a moment.",
            )

    # ── from the tables ──────────────────────────────────────────────────────────────────────────────

    def _readers_of(self, name: str) -> tuple[str, ...]:
        return self.channels.channel(name).settings.readers

    def _closed(self, wanted: Callable[[str], bool]) -> Iterator[tuple[str, Collection[str]] | None]:
        for record in self.channels.walk_listed(CLOSED, wanted):
            yield None if record is None else (record.channel, record.settings.readers)

    def _class_of(self, name: str) -> str | None:
        return self.channels.channel(name).settings.retention

    def _expiring(self) -> list[tuple[str, str | None]]:
        return [(record.channel, record.settings.retention) for record in self.channels.listed(EXPIRING)]

    def _revoke(self, row: Row) -> None:
        if row.value is not None:
            self.revocations.learn(row.key, row.value["arguments"])

    def _alerts(self, row: Row) -> None:
        for learn in self.on_alert:
            learn(row)

    def _alert(self, row: Row) -> None:
        """Who may read an alert's stream: it is as if its channel's settings had changed."""
        if row.key.startswith("$"):
            return  # that one rests
        channel = self.readers.learn_alert(row.key, None if row.value is None else row.value["arguments"])
        for tell in self.channels.on_change if self.known else ():  # before that nobody goes by what is known
            tell(channel)
