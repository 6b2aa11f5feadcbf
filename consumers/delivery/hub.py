"""Fan-out: records go into rings, and one write a round goes to each viewer who keeps up.

A viewer who keeps up has no state here but an entry in an audience's `live`: the position is the ring's
head. A viewer who does not is taken out of `live`, gets explicit positions, and is caught up by
`delivery.subscription`. So the loop over viewers, which is what an edge spends its time on, asks nothing of
each: `delivery.broadcast` makes it one call for all. docs/decisions/0040, 0044.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from consumers.delivery.broadcast import Live, broadcast
from consumers.delivery.feeds import Feed, FeedTable
from consumers.delivery.records import Decode, UnreadableRecord
from consumers.delivery.ring import Ring
from consumers.delivery.unwatched import Partition, Shelf, note
from consumers.protocol.messages import AnyReply, render
from consumers.transport.frames import text_frame
from kernel.log.positions import OVERVIEW, OVERVIEW_SHARD, Kind, Shard, Stream, lane
from kernel.process.lines import Lines

_lines = Lines("touchline.hub")
LOCATION_RING: Final = 256  # only the latest of each sender counts
OVERVIEW_RING: Final = 600  # ten minutes
RETRACT: Final = "retract"
_CHANGE: Final = b'"type":"room"'  # what frames of changes of rooms have in them; others may, too


class Raw(NamedTuple):
    """A record as Kafka has it."""

    partition: int
    key: bytes
    value: bytes


class Recipient(Protocol):
    """Whoever can be sent a message."""

    def send(self, message: AnyReply) -> None: ...


class Follower(Protocol):
    """A subscription of somebody who takes no frames."""

    @property
    def holder(self) -> Recipient: ...


class Audience:
    """Who watches one subscription: a stream with its lanes, of one shard."""

    __slots__ = ("ahead", "feeds", "followers", "live", "name", "shard", "viewers")

    def __init__(self, name: str, shard: Shard) -> None:
        self.name = name
        self.shard = shard
        self.feeds: list[Feed] = []
        #: Those who are at the head of all feeds.
        self.live = Live()
        #: Those who have seen more than this edge has: they wait until it has caught up with them.
        self.ahead: dict[object, Callable[[], None]] = {}
        #: Those who take no frames: each is brought up to the head after each round, in its own way.
        self.followers: dict[Follower, Callable[[], None]] = {}
        self.viewers = 0

    def announce(self, message: AnyReply) -> None:
        """Send something to all who are at the head; encoded once for those who take frames."""
        broadcast([(text_frame(render(message)), self.live.present())])
        for follower in list(self.followers):
            follower.holder.send(message)


class Hub:
    """All feeds and audiences of an edge."""

    def __init__(
        self, decode: Decode, *, ring_events: int, ring_bytes: int, selective: str | None = None
    ) -> None:
        self._decode = decode
        #: The topic of which only what somebody watches is kept: that of the locations.
        self._selective = selective
        self._ring_events, self._ring_bytes = ring_events, ring_bytes
        #: Every stream that has a ring here.
        self.feeds = FeedTable()
        #: Channels that are or were watched: their records are decoded. Those of others wait on shelves.
        self.awake: set[bytes] = set()
        self._shelves: OrderedDict[bytes, Shelf] = OrderedDict()
        #: Of locations: each channel's last record that was not kept, undecoded; and of feeds that were
        #: forgotten their heads. The log lags behind the fan-out: asked in that moment it does not have them.
        self._passed: OrderedDict[bytes, bytes] = OrderedDict()
        #: The same of channels whose records somebody else keeps: they do not come by here.
        self.passed_elsewhere: Callable[[bytes], bytes | None] = lambda _: None
        self._left: OrderedDict[str, int] = OrderedDict()
        #: Channels whose older records were dropped before anybody watched.
        self._cut: set[bytes] = set()
        self._audiences: dict[tuple[str, Shard], Audience] = {}
        #: The same by stream.
        self._by_stream: dict[str, list[Audience]] = {}
        #: The operators: of no channel, so not among the audiences.
        self._overview = Audience(OVERVIEW, OVERVIEW_SHARD)
        #: Partitions that were read from their very first record: their streams' rings lack nothing.
        self.whole: set[Partition] = set()
        self._given_up = False
        #: Called with a stream and the frame of what may be a change of its room, once all have it.
        self.on_room: Callable[[str, bytes], None] = lambda *_: None
        #: An event of a stream of copies as it may be shown; and what is told of messages that are taken
        #: back, and of streams whose undecoded events have gone into rings (`delivery.retractions`).
        self.shown: Callable[[Feed, bytes], bytes] = lambda _, body: body
        self.on_retract: Callable[[Feed, str], None] = lambda *_: None
        self.on_wake: Callable[[Feed], None] = lambda _: None
        self.bytes = 0
        #: When Kafka appended the latest event that was delivered.
        self.server_ts = 0

    # ── from Kafka ───────────────────────────────────────────────────────────────────────────────────

    def take(self, topic: str, records: Iterable[Raw]) -> int:
        """One round: records into rings, and one write to each live viewer. Returns the deliveries."""
        fresh: dict[Feed, list[bytes]] = {}
        senders: dict[Feed, dict[str | None, bytes]] = {}
        awake, selective, deliveries = self.awake, topic == self._selective, 0
        for partition, key, value in records:
            if key not in awake:
                # Nobody watches it: it is not even decoded, and of locations not kept.
                if selective:
                    note(self._passed, key, value)
                else:
                    self._shelve((topic, partition), key, value)
                continue
            kept = self._keep((topic, partition), key, value)
            if kept is not None:
                feed, frame, sender = kept
                if feed.room and feed.audiences and _CHANGE in frame:
                    # Who is taken out gets this, and nothing after it.
                    deliveries += self._deliver(fresh | {feed: [*fresh.get(feed, ()), frame]})
                    fresh = {}
                    self.on_room(feed.stream, frame)
                elif feed.audiences:
                    if feed.conflates:
                        # Of those of one sender that come at once only the latest goes out.
                        latest = senders.setdefault(feed, {})
                        latest.pop(sender, None)
                        latest[sender] = frame
                    else:
                        fresh.setdefault(feed, []).append(frame)
        if self.bytes > self._ring_bytes:
            self._make_room()
        fresh |= {feed: list(latest.values()) for feed, latest in senders.items()}
        return deliveries + (self._deliver(fresh) if fresh else 0)

    def _keep(self, place: Partition, key: bytes, value: bytes) -> tuple[Feed, bytes, str | None] | None:
        """One record into its ring; None if it is a repetition, or not readable."""
        try:
            stream, seq, server_ts, body, type_, sender, _, target = self._decode(value)
        except UnreadableRecord as error:
            _lines.error("a fan-out record is not readable", topic=place[0], why=str(error))
            return None
        feed = self.feeds.get(key, stream)
        if feed is None:
            feed = self._new_feed(stream, key, whole=place in self.whole)
        before = feed.ring.bytes
        if feed.copies:
            body = self.shown(feed, body)
        frame = feed.ring.append(seq, body, sender)
        if frame is None:
            return None
        self.bytes += feed.ring.bytes - before
        self.server_ts = server_ts
        if type_ == RETRACT and target is not None:
            self.on_retract(feed, target)
        return feed, frame, sender

    def _shelve(self, place: Partition, key: bytes, value: bytes) -> None:
        shelf = self._shelves.get(key)
        if shelf is None:
            shelf = self._shelves[key] = Shelf(place)
        self.bytes += shelf.put(value, self._ring_events)
        self._shelves.move_to_end(key)

    def _wake(self, key: bytes) -> None:
        """Somebody watches this channel: what has waited undecoded goes into rings."""
        self.awake.add(key)
        shelf = self._shelves.pop(key, None)
        if shelf is None:
            return
        self.bytes -= shelf.bytes
        if shelf.cut:
            self._cut.add(key)
        for value in shelf.values:
            self._keep(shelf.place, key, value)
        for feed in self.feeds.of_key(key):
            self.on_wake(feed)  # what was taken back while nobody watched it

    def _deliver(self, fresh: dict[Feed, list[bytes]]) -> int:
        due: dict[Audience, list[bytes]] = {}
        deliveries = 0
        for feed, came in fresh.items():
            self.feeds.used(feed.key)
            for audience in feed.audiences:
                if audience.live:
                    due.setdefault(audience, []).extend(came)
                if audience.followers:
                    deliveries += len(came) * len(audience.followers)
        # Everybody who is live now gets everything of this round, even if the socket fills up on the way:
        # heads have moved on already, and whoever is paused later starts from there.
        sends = [(b"".join(frames), audience.live.present()) for audience, frames in due.items()]
        broadcast(sends)
        deliveries += sum(len(due[a]) * present.number for a, (_, present) in zip(due, sends, strict=True))
        for feed in fresh:
            for audience in feed.audiences:
                for advance in [*audience.ahead.values(), *audience.followers.values()]:
                    advance()
        return deliveries

    # ── rings ────────────────────────────────────────────────────────────────────────────────────────

    def feed(self, stream: str, key: bytes, *, whole: bool) -> Feed:
        """The feed of a stream in a shard; made if it is not there."""
        if key not in self.awake:
            self._wake(key)
        return self.feeds.get(key, stream) or self._new_feed(stream, key, whole=whole)

    def _new_feed(self, stream: str, key: bytes, *, whole: bool) -> Feed:
        conflates = stream.startswith(f"{Kind.LOCATION}:")
        capacity = LOCATION_RING if conflates else OVERVIEW_RING if stream == OVERVIEW else self._ring_events
        # Where records were given up, a new feed may be one of theirs: it lacks what they held.
        complete = whole and not self._given_up and key not in self._cut
        ring = Ring(capacity, floor=0 if complete else -1, chained=not conflates)
        feed = Feed(stream, key, ring, conflates=conflates)
        if conflates:
            feed.passed = self._how_far(stream, key)
        self.feeds.add(feed)
        return feed

    def _how_far(self, stream: str, key: bytes) -> int:
        """The latest event of a location stream that came by and is not here."""
        value = self._passed.pop(key, None) or self.passed_elsewhere(key)
        seq = self._left.pop(stream, 0)
        if value is not None:
            try:
                seq = max(seq, self._decode(value).seq)
            except UnreadableRecord as error:
                _lines.error("a fan-out record is not readable", stream=stream, why=str(error))
        return seq

    def _make_room(self) -> None:
        """Drop history down to nine tenths of the limit, of the quietest channels first."""
        goal, self._given_up = self._ring_bytes * 9 // 10, True
        while self._shelves and self.bytes > goal:
            self.bytes -= self._shelves.popitem(last=False)[1].bytes
        keys = self.feeds.keys()
        for key in keys:
            last = key == keys[-1]
            for feed in self.feeds.of_key(key):
                self.bytes -= feed.ring.drop(len(feed.ring) // 2 if last else len(feed.ring))
                if not feed.audiences and not last:
                    self._forget(feed)
                elif feed.conflates:
                    feed.passed = max(feed.passed, feed.ring.floor)
            if self.bytes <= goal:
                break

    # ── audiences ────────────────────────────────────────────────────────────────────────────────────

    def audience(self, stream: Stream, shard: Shard, lanes: int, whole: Callable[[str], bool]) -> Audience:
        """The audience of a stream and its lanes in a shard; made if it is not there.

        `whole` tells of a fan-out key whether its partition was read from the start.
        """
        name = str(stream)
        audience = self._audiences.get((name, shard))
        if audience is None:
            audience = self._audiences[name, shard] = Audience(name, shard)
            self._by_stream.setdefault(name, []).append(audience)
        wanted = [stream.channel, *(lane(stream.channel, n) for n in range(lanes))]
        for channel in wanted[len(audience.feeds) :]:
            key = shard._replace(channel=channel).key
            feed = self.feed(str(Stream(stream.kind, channel)), key.encode(), whole=whole(key))
            feed.audiences.append(audience)
            audience.feeds.append(feed)
        return audience

    def overview(self) -> Audience:
        """Those who watch the operators' figures."""
        if not self._overview.feeds:
            feed = self.feed(OVERVIEW, OVERVIEW_SHARD.key.encode(), whole=False)
            feed.audiences.append(self._overview)
            self._overview.feeds.append(feed)
        return self._overview

    def leave(self, audience: Audience) -> None:
        """Somebody left; the last one closes the door."""
        audience.viewers -= 1
        if audience.viewers == 0 and audience is not self._overview:
            if self._audiences.pop((audience.name, audience.shard), None) is not None:
                of_stream = self._by_stream[audience.name]
                of_stream.remove(audience)
                if not of_stream:
                    del self._by_stream[audience.name]
            for feed in audience.feeds:
                feed.audiences.remove(audience)
                if feed.conflates and not feed.audiences:
                    self._forget(feed)

    def drop(self, gone: Callable[[bytes], bool]) -> None:
        """Forget the rings of keys that are not read here any more, once nobody hears them."""
        for key in [key for key in self._shelves if gone(key)]:
            self.bytes -= self._shelves.pop(key).bytes
        for key in filter(gone, self.feeds.keys()):
            for feed in self.feeds.of_key(key):
                if not feed.audiences:
                    self._forget(feed)

    def reset(self, feed: Feed) -> None:
        """The feed has missed something, or will: what its ring holds says nothing about what follows."""
        self.bytes -= feed.ring.drop(len(feed.ring))
        feed.ring.floor = -1

    def _forget(self, feed: Feed) -> None:
        self.bytes -= feed.ring.bytes
        self._note_head(feed)
        if self.feeds.remove(feed):
            self.awake.discard(feed.key)

    def _note_head(self, feed: Feed) -> None:
        """A feed goes, and what its ring held with it: a new one is told how far it was."""
        if feed.conflates:
            note(self._left, feed.stream, max(feed.ring.head, feed.passed))

    def audiences(self) -> list[Audience]:
        return list(self._audiences.values())

    def rewrite(self, feed: Feed, holds: bytes, shown: Callable[[bytes], bytes]) -> None:
        """Show events anew of which the frames hold these bytes."""
        self.bytes += feed.ring.rewrite(holds, shown)

    def streams(self) -> list[str]:
        """The streams that somebody watches here."""
        return list(self._by_stream)

    def audiences_of(self, stream: str) -> Sequence[Audience]:
        """Those who watch a stream here, in each of its shards."""
        return self._by_stream.get(stream, ())

    def viewers(self) -> dict[tuple[str, Shard], int]:
        """How many watch what."""
        return {place: audience.viewers for place, audience in self._audiences.items()}
