"""What a role asks: who is muted or banned where, what was taken back, who is erased, what was reported.

Of a channel that has sanctions they are held whole while it is used; its own record says which have changed.
Of one with very many, each is looked up.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Final, NamedTuple

from control.entity.tables import Tables
from control.entity.types import AnyType
from control.entity.view import View
from control.moderation.orders import EVERYWHERE
from control.moderation.reports import Report, report_key, reports_of
from control.moderation.reports import head_key as reports_head
from control.moderation.retractions import Retraction, around, of_key, retraction_key, retractions_of
from control.moderation.sanctions import LATEST, Sanction, bans_of, head_key, sanction_key
from control.moderation.table import report_type, retraction_type, sanction_type
from kernel.access.users import name_in_channel
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import split_lane
from kernel.settings.reading import Settings

#: Of a channel with more sanctions each is looked up.
_WHOLE: Final = 20_000
#: Channels whose sanctions are held.
_CHANNELS: Final = 1000
#: Channels of which it is known whether anything was taken back there: a page of search has hundreds of them.
_ASKED: Final = 20_000
_PAGE: Final = 500


class _Held(NamedTuple):
    """Of one channel: all pairs by the user's name in keys, as of a revision of its own record."""

    revision: int
    users: dict[str, Sanction]


class Moderation:
    """Sanctions, reports and retractions, by a role's tables on disk. Without tables nobody is sanctioned."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock = clock
        self._sanction, self._report = sanction_type(settings), report_type(settings)
        self._retraction = retraction_type(settings)
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._retracts: dict[str, bool] = {}
        #: How often it was told that something was taken back.
        self._told = 0
        self._asked_lock = Lock()  # threads ask, too
        self._opened = False
        #: Called with a channel when who is sanctioned there has changed, and with `$all`.
        self.on_change: list[Callable[[str], None]] = []
        #: Called with a channel and the id of a message of it that was taken back.
        self.on_retraction: list[Callable[[str, str], None]] = []

    @property
    def opened(self) -> bool:
        """Whether there are tables of them."""
        return self._opened

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [self._sanction, self._report, self._retraction]

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self.sanctions: View[Sanction] = tables.view(self._sanction)
        self.reports: View[Report] = tables.view(self._report)
        self.retractions: View[Retraction] = tables.view(self._retraction)
        self.sanctions.on_forget = self._changed
        self.retractions.tell_all(self._taken_back)
        # Whose data are erased every role has to hear, whether it has asked or not.
        self.sanctions.watch(head_key(EVERYWHERE).decode(), lambda *_: None)
        self._opened = True

    def _changed(self, key: bytes) -> None:
        channel, zero, rest = key.decode("utf-8", "replace").partition("\0")
        if zero and not rest:
            for tell in self.on_change:
                tell(channel)

    def _taken_back(self, keys: Iterable[bytes]) -> None:
        told = [of_key(key) for key in keys]
        with self._asked_lock:
            self._told += 1
            for channel, _ in told:
                self._retracts.pop(channel, None)
        for channel, event in told:
            for tell in self.on_retraction:
                tell(channel, event)

    # ── sanctions ────────────────────────────────────────────────────────────────────────────────────

    def any_in(self, channel: str) -> bool:
        """Whether anybody was ever sanctioned in a channel, as far as is known here."""
        return self._head(channel) is not None

    def of(self, channel: str, user: str) -> Sanction | None:
        """What is decided of a user in a channel, or in the one that it is a lane of."""
        base = split_lane(channel)[0]
        head = self._head(base)
        if head is None:
            return None
        if head.count > _WHOLE:
            return self.sanctions.get(sanction_key(base, user))
        return self._users(base, head).get(name_in_channel(user))

    def banned(self, user: str, channel: str) -> bool:
        """Whether a user may not read a channel now."""
        one = self.of(channel, user)
        return one is not None and one.banned_at(self._clock.now_ms())

    def check_may_publish(self, channel: str, user: str) -> None:
        """Raise `muted` where a user may not publish now."""
        one = self.of(channel, user)
        if one is not None and one.muted_at(self._clock.now_ms()):
            raise muted(channel)

    def banned_from(self, user: str) -> list[str]:
        """The channels that a user may not read now, because they are banned."""
        if not self._opened or not self.sanctions.is_open:
            return []
        prefix, now_ms = bans_of(user), self._clock.now_ms()
        found: list[str] = []
        after = b""
        while page := self.sanctions.scan(prefix, after=after, limit=_PAGE):
            found += [one.channel for _, one in page if one.banned_at(now_ms)]
            after = page[-1][0]
        return found

    def bans_by(self, user: str, by: str) -> int:
        """From how many channels somebody has banned a user."""
        prefix, now_ms = bans_of(user), self._clock.now_ms()
        found, after = 0, b""
        while page := self.sanctions.scan(prefix, after=after, limit=_PAGE):
            found += sum(one.by == by and one.banned_at(now_ms) for _, one in page)
            after = page[-1][0]
        return found

    def sanctioned(self, channel: str, *, after: str, limit: int) -> list[Sanction]:
        """Who is muted or banned in a channel now, in the order of their keys, after somebody."""
        now_ms, prefix = self._clock.now_ms(), head_key(channel)
        last, found = sanction_key(channel, after) if after else prefix, list[Sanction]()
        while len(found) < limit and (page := self.sanctions.scan(prefix, after=last, limit=_PAGE)):
            found += [one for _, one in page if one.muted_at(now_ms)]
            last = page[-1][0]
        return found[:limit]

    def _head(self, channel: str) -> Sanction | None:
        if not self._opened or not self.sanctions.is_open:
            return None
        return self.sanctions.get(head_key(channel))

    def _users(self, channel: str, head: Sanction) -> Mapping[str, Sanction]:
        held = self._held.get(channel)
        if held is None or held.revision != head.revision:
            news = head.revision - held.revision if held is not None else 0
            if held is not None and 0 < news <= len(head.latest) and news <= LATEST:
                users = held.users
                for name in head.latest[-news:]:
                    if (one := self.sanctions.get(head_key(channel) + name.encode())) is not None:
                        users[name] = one
            else:
                users = self._read(channel)
            held = self._held[channel] = _Held(head.revision, users)
            if len(self._held) > _CHANNELS:
                self._held.popitem(last=False)
        self._held.move_to_end(channel)
        return held.users

    def _read(self, channel: str) -> dict[str, Sanction]:
        prefix, users = head_key(channel), dict[str, Sanction]()
        after = prefix
        while page := self.sanctions.scan(prefix, after=after, limit=_PAGE):
            users |= {key[len(prefix) :].decode(): one for key, one in page}
            after = page[-1][0]
        return users

    # ── what was taken back ──────────────────────────────────────────────────────────────────────────

    def erased_at(self, user: str) -> int:
        """Up to which time what a user has posted is as if it were taken back; 0: none of it."""
        return self.erased_name_at(name_in_channel(user))

    def erased_name_at(self, name: str) -> int:
        """The same of a user by their name as it stands in channels."""
        head = self._head(EVERYWHERE)
        if head is None:
            return 0
        if head.count > _WHOLE:
            one = self.sanctions.get(head_key(EVERYWHERE) + name.encode())
        else:
            one = self._users(EVERYWHERE, head).get(name)
        return 0 if one is None else one.erased

    @property
    def erases(self) -> bool:
        """Whether anybody's data were erased."""
        return self._head(EVERYWHERE) is not None

    def erased(self) -> list[Sanction]:
        """Whose data were erased, the latest last: of very many the latest only."""
        head = self._head(EVERYWHERE)
        if head is None:
            return []
        if head.count > _WHOLE:
            found = [self.sanctions.get(head_key(EVERYWHERE) + name.encode()) for name in head.latest]
            return [one for one in found if one is not None]
        return sorted(self._users(EVERYWHERE, head).values(), key=lambda one: one.erased)

    def retracted(self, channel: str, event: str) -> bool:
        """Whether a message of this channel was taken back."""
        if not self._opened or not self.retractions.is_open:
            return False
        return self.retractions.get(retraction_key(split_lane(channel)[0], event)) is not None

    def retracts_in(self, channel: str) -> bool:
        """Whether any message of this channel was taken back."""
        if not self._opened or not self.retractions.is_open:
            return False
        base = split_lane(channel)[0]
        found = self._retracts.get(base)
        if found is None:
            told = self._told
            found = bool(self.retractions.scan(retractions_of(base), limit=1))
            with self._asked_lock:
                if told == self._told:  # else it may have changed while it was read
                    if len(self._retracts) >= _ASKED:
                        self._retracts.clear()
                    self._retracts[base] = found
        return found

    def retracted_of(self, channel: str, events: Iterable[str]) -> set[str]:
        """Which of these messages were taken back."""
        base, wanted = split_lane(channel)[0], set(events)
        if not wanted or not self._opened or not self.retractions.is_open:
            return set()
        after, last = around(base, wanted)
        page = self.retractions.scan(retractions_of(base), after=after, limit=len(wanted) + 100)
        if len(page) < len(wanted) + 100 or page[-1][0] > last:
            return {one.event for _, one in page} & wanted
        return {event for event in wanted if self.retracted(base, event)}  # they lie far apart

    # ── reports ──────────────────────────────────────────────────────────────────────────────────────

    def reports_head(self, channel: str) -> Report | None:
        """What a channel has of reports."""
        return self.reports.get(reports_head(channel))

    def report(self, channel: str, number: int) -> Report | None:
        """The report of a number, while it is kept."""
        one = self.reports.get(report_key(channel, number))
        return one if one is not None and one.number == number else None

    def reported(self, channel: str) -> list[Report]:
        """All reports that are kept of a channel, the latest first."""
        found, after = list[Report](), reports_head(channel)
        while page := self.reports.scan(reports_of(channel), after=after, limit=_PAGE):
            found += [one for _, one in page]
            after = page[-1][0]
        return sorted(found, key=lambda one: one.number, reverse=True)


def muted(channel: str) -> TouchlineError:
    """The refusal of what somebody posts who may not."""
    return TouchlineError("muted", f"You may not publish in {split_lane(channel)[0]} for now.")
