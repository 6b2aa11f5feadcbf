"""How many friends, wishes for friends, and fences somebody may have; and which are too many.

A door asks before it gives a command. Two doors may let the last one in at the same moment, since each pair
and each fence is folded by itself: the workers count behind them, and end what is too much, the newest first.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Final, NamedTuple

from control.entity.types import prefix_of
from control.nearby.consent import Consent
from control.nearby.fences import Fence, prefix_of_maker
from control.nearby.friends import Friend
from kernel.access.users import name_in_channel
from kernel.errors import TouchlineError

#: Whom somebody has asked who has not said yes.
MAX_ASKED: Final = 1000
_PAGE: Final = 1000
#: Users whose numbers are kept while many friendships are made.
_COUNTED: Final = 10_000


class TooMany(NamedTuple):
    """What is too much of one user's."""

    friends: list[Friend]
    fences: list[Fence]


class FriendsRoom:
    """Whether people have room for another friend; each is counted once, for many friendships in one go."""

    def __init__(self, consent: Consent, most: int) -> None:
        self._consent, self._most = consent, most
        self._counts: dict[str, int] = {}
        self._lock = Lock()

    def take(self, user: str, friend: str) -> None:
        """They are to be friends. Any thread may ask. Raises `too_many`."""
        with self._lock:
            self._take(user, friend)

    def _take(self, user: str, friend: str) -> None:
        if self._consent.are_friends(user, friend):
            return
        if len(self._counts) > _COUNTED:
            self._counts.clear()
        for one in (user, friend):
            if one not in self._counts:
                self._counts[one] = _count(self._consent, one, self._most)["friends"]
        if max(self._counts[user], self._counts[friend]) >= self._most:
            raise TouchlineError("too_many", f"One of you has {self._most} friends, as many as one may have.")
        for one in (user, friend):
            self._counts[one] += 1


def check_wish(consent: Consent, user: str, friend: str, most: int) -> None:
    """Raise `too_many` where one of these cannot have another friend, or one more who was asked."""
    FriendsRoom(consent, most).take(user, friend)
    if _count(consent, user, most)["asked"] >= MAX_ASKED or _count(consent, friend, most)["asking"] >= most:
        raise TouchlineError(
            "too_many", f"There are {MAX_ASKED} friendships that you have asked for: wait for an answer."
        )


def _count(consent: Consent, user: str, most: int) -> Counter[str]:
    """How many somebody has of each sort; nothing of who has few: they are far from any bound."""
    if _has_few(consent, user, most):
        return Counter()
    return Counter(friend.state for friend in all_friends(consent, user))


def _has_few(consent: Consent, user: str, most: int) -> bool:
    prefix = prefix_of(name_in_channel(user))
    return not consent.friends.keys(prefix=prefix, after=b"", limit=min(most, MAX_ASKED))[1]


def all_friends(consent: Consent, user: str) -> Iterator[Friend]:
    """All of them, whom they asked and who asks them too."""
    after = b""
    while found := consent.friends_of(user, after=after, limit=_PAGE):
        after = found[-1][0]
        yield from (friend for _, friend in found)


def check_fences_room(consent: Consent, maker: str | None, most: int) -> None:
    """Raise `too_many` where somebody has made as many fences as one may."""
    if maker is not None and len(consent.fences_of(maker, limit=most)) >= most:
        raise TouchlineError("too_many", f"You have made {most} fences, as many as one may: remove one.")


def too_many_friends(friends: Iterable[Friend], most: int) -> list[Friend]:
    """Of one user's those beyond the bounds, the newest of each sort: whoever looks finds the same ones."""
    of: dict[str, list[Friend]] = {}
    for friend in friends:
        of.setdefault(friend.state, []).append(friend)
    found: list[Friend] = []
    for state, number in (("friends", most), ("asked", MAX_ASKED), ("asking", most)):
        found += sorted(of.get(state, ()), key=lambda one: (one.since, one.friend))[number:]
    return found


def too_many(consent: Consent, user: str, *, max_friends: int, max_fences: int) -> TooMany:
    """What somebody has beyond the bounds. Any thread may ask."""
    few = _has_few(consent, user, max_friends)
    friends = [] if few else too_many_friends(all_friends(consent, user), max_friends)
    keys, more = consent.fences.keys(prefix=prefix_of_maker(user), after=b"", limit=max_fences + 1)
    fences: list[Fence] = []
    if more or len(keys) > max_fences:
        all_ = consent.fences_of(user, limit=2 * max_fences + _PAGE)
        fences = sorted(all_, key=lambda fence: (fence.at, fence.id))[max_fences:]
    return TooMany(friends, fences)
