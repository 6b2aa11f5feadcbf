"""The op `feed`: a page of what the channels post that a user follows, then what comes, as it comes."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import msgspec

from consumers.delivery.backfill import History as StreamHistory
from consumers.feeds.broadcasts import Broadcasts, Heard
from consumers.feeds.following import Following
from consumers.protocol import feed as f
from consumers.protocol import messages as m
from consumers.protocol.session import Member
from consumers.service.error_replies import refusal
from consumers.transport.frames import text_frame
from control.rooms.service import Who
from control.state import ControlState
from history.feed import FeedPage, Followed
from history.following import followed_by, in_feed
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.long_work import LongWork

#: What comes in this time goes out together.
_EVERY_S: Final = 0.05
#: How long those wait again who do not read what they got.
_AGAIN_S: Final = 0.5
#: Events that wait for one who does not read. Of more the newest stay, and the rest is asked for by `after`.
_MOST: Final = 200


Spawn = Callable[[Coroutine[Any, Any, None]], None]


class _Identified(msgspec.Struct):
    id: str


_id_of: Final = msgspec.json.Decoder(_Identified).decode


class Holder(Protocol):
    """Who is told."""

    @property
    def paused(self) -> bool: ...

    @property
    def closing(self) -> bool: ...

    def write(self, data: bytes, /) -> object: ...


class History(StreamHistory, Protocol):
    """Reads the past of streams, and feeds of it."""

    async def feed(
        self,
        followed: Mapping[str, Followed],
        *,
        before: str | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> FeedPage: ...


class FeedOf:
    """One connection's: it hears all channels that its user follows."""

    __slots__ = ("_feeds", "following", "holder", "left_out", "loading", "member", "waiting")

    def __init__(self, feeds: "FeedRequests", member: Member, holder: Holder) -> None:
        self._feeds, self.member, self.holder = feeds, member, holder
        self.following: Following | None = None
        #: Events that are still to be told, and whether older ones were left out.
        self.waiting: list[Heard] = []
        self.left_out = False
        #: Until a page has been told nothing else is; what is on it is not told again.
        self.loading = 0

    def hear(self, event: Heard) -> None:
        """A broadcast of a channel that the user follows (it is an Ear). Thousands may wait for it: whether
        they may see it is asked when it is told."""
        self.waiting.append(event)
        if len(self.waiting) > _MOST:
            del self.waiting[0]
            self.left_out = True
        self._feeds.due(self)


class FeedRequests:
    """The replies. None of them raises: what goes wrong is a reply too."""

    def __init__(
        self,
        *,
        state: ControlState,
        history: History,
        broadcasts: Broadcasts,
        budgets: DoorBudgets,
        clock: Clock,
        spawn: Spawn,
    ) -> None:
        self._state, self._history = state, history
        #: What comes, for those who wait for it.
        self.broadcasts = broadcasts
        self._budgets, self._clock, self._spawn = budgets, clock, spawn
        self._feeds: dict[Any, FeedOf] = {}
        self._due: dict[FeedOf, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def do(self, request: f.Feed, member: Member, connection: Any) -> m.AnyReply | None:
        """A page, or no more of it."""
        try:
            user = Who(member.grants).named()
            if request.off:
                self.gone(connection)
                return None if request.id is None else m.Ok(id=request.id)
            bound = self._budgets.bound(member.user, admin=member.grants.allows("admin", "*"))
            self._budgets.take_read(bound)
            await self.broadcasts.ready()
            feed = await self._feed_of(user, member, connection)
            feed.loading += 1
            try:
                page = await self._page(request, member)
            finally:
                feed.loading -= 1
            self._budgets.count_read(bound, sum(map(len, page.events)))
        except TouchlineError as error:
            return refusal(error, request.id)
        if connection.closing:
            self.gone(connection)
            return None
        on_page = set(page.ids)
        feed.waiting = [event for event in feed.waiting if _id_of(event.body).id not in on_page]
        if feed.waiting:
            self.due(feed)
        events = [msgspec.Raw(body) for body in page.events]
        return f.FeedReply(id=request.id, events=events, more=page.more)

    async def _page(self, request: f.Feed, member: Member) -> FeedPage:
        followed = await followed_by(self._state, member.grants, self._clock)
        return await self._history.feed(
            followed, before=request.before, after=request.after, limit=request.limit
        )

    async def _feed_of(self, user: str, member: Member, connection: Any) -> FeedOf:
        feed = self._feeds.get(connection)
        if feed is None:
            feed = self._feeds[connection] = FeedOf(self, member, connection)
            feed.following = Following(self._state, self.broadcasts, user, feed)
            await feed.following.begin()
        return feed

    def gone(self, connection: Any) -> None:
        """Nothing more of it: the connection is lost, or asks for no more."""
        feed = self._feeds.pop(connection, None)
        if feed is None:
            return
        self._due.pop(feed, None)
        if feed.following is not None:
            feed.following.end()

    def _shows(self, feed: FeedOf, event: Heard, gone: dict[Heard, bool]) -> bool:
        """Whether somebody's feed shows an event now. `gone`: what is known to be taken back, or not."""
        away = gone.get(event)
        if away is None:
            id_ = _id_of(event.body).id
            away = gone[event] = self._state.moderation.retracted(event.channel, id_)
        if away:
            return False
        shown = in_feed(self._state, feed.member.grants, event.channel, self._clock.now_ms())
        return shown is not None and event.type in shown.types

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────

    def due(self, feed: FeedOf) -> None:
        """Something waits for somebody."""
        self._due[feed] = None
        self._arm(_EVERY_S)

    def _arm(self, wait_s: float) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._flush)

    def _flush(self) -> None:
        self._timer = None
        self._spawn(self._tell_all())

    async def _tell_all(self) -> None:
        """All that waits, to all for whom it does, with room for others in between."""
        feeds, self._due = list(self._due), {}
        gone, frames = dict[Heard, bool](), dict[tuple[object, ...], bytes]()
        work, again = LongWork(self._clock), False
        for feed in feeds:
            if self._feeds.get(feed.holder) is not feed or not feed.waiting:
                continue
            if feed.holder.paused or feed.loading:
                self._due[feed] = None
                again = True
                continue
            events = [event for event in reversed(feed.waiting) if self._shows(feed, event, gone)]
            more, feed.waiting, feed.left_out = feed.left_out, [], False
            if events and not feed.holder.closing:
                # Thousands are told the same: it is made once.
                same = (more, *events)
                frame = frames.get(same)
                if frame is None:
                    newest = [msgspec.Raw(event.body) for event in events]
                    reply = f.FeedReply(events=newest, more=True) if more else f.FeedReply(events=newest)
                    frame = frames[same] = text_frame(m.render(reply))
                feed.holder.write(frame)
            await work.let_by()
        if again:
            self._arm(_AGAIN_S)
