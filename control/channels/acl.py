"""Who may read which channel, by its name and its settings: edges, gateway and indexer keep to it alike."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

import msgspec

from control.rooms.membership import ALL, NOTHING, Spans
from kernel.access.tokens import Grants
from kernel.access.users import ALERT, AUDIT, FENCE, NOTIFY, ROOM, USER, notify_channel, user_channel
from kernel.log.positions import split_lane

#: What these begin with only some may read, whatever the channel's settings say.
CLOSED: Final = (USER, NOTIFY, ROOM, ALERT, FENCE, AUDIT)


class _Saved(msgspec.Struct):
    """What an alert says of who may read it."""

    owner: str | None = None
    readers: tuple[str, ...] = ()


_saved: Final = msgspec.json.Decoder(_Saved).decode


def covering(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Whether one of these patterns of streams may cover a channel: quick, and never wrongly no."""
    begins = set()
    for pattern in patterns:
        # Without a colon of its own a star stands for it. What follows a ~ may be a lane.
        begin = pattern.rpartition(":")[2].partition("*")[0] if ":" in pattern else ""
        begins.add(begin.partition("~")[0])
    found = tuple(begins)
    return lambda channel: channel.startswith(found)


class ChannelAcl:
    """The channels that only some may read, and those. All other channels are for everybody."""

    def __init__(
        self,
        readers_of: Callable[[str], Collection[str]] = lambda _: (),
        closed: Callable[
            [Callable[[str], bool]], Iterable[tuple[str, Collection[str]] | None]
        ] = lambda _: (),
        rooms: Callable[[Grants, str], Spans] = lambda *_: NOTHING,
        fences: Callable[[Grants, str], bool] = lambda *_: False,
        *,
        banned: Callable[[str, str], bool] = lambda *_: False,
        leads: Callable[[str, str], bool] = lambda *_: False,
    ) -> None:
        """`readers_of` a channel; those that are `closed` and wanted, with theirs; of `rooms`, what somebody
        may read of one, and of `fences` whether they may. Without these no channel is closed but by its
        name, and every room and fence. Who is `banned` (user, channel) may read nothing there, whatever else
        holds. Who `leads` (user, channel) a room reads what its moderators do, as who administers a channel
        does."""
        self._banned, self._leads = banned, leads
        self._readers_of, self._closed, self._of_room = readers_of, closed, rooms
        self._of_fence = fences
        #: The channels of alerts, with who made them and whom they name.
        self._shared: dict[str, frozenset[str]] = {}
        #: And who made them, where that was not an operator.
        self._owners: dict[str, str] = {}

    def learn_alert(self, alert_id: str, saved: str | None) -> str:
        """Take an alert as JSON (None: it is no more); returns its channel. Raises msgspec.DecodeError."""
        channel = f"{ALERT}{alert_id}"
        self._owners.pop(channel, None)
        if saved is None:
            self._shared.pop(channel, None)
            return channel
        alert = _saved(saved)
        owner = () if alert.owner is None else (alert.owner,)
        if alert.owner is not None:
            self._owners[channel] = alert.owner
        self._shared[channel] = frozenset((*owner, *alert.readers))
        return channel

    def owner_of(self, channel: str) -> str | None:
        """Who made the alert whose channel this is; None: nobody in particular, or there is none."""
        return self._owners.get(channel)

    def allow(self, grants: Grants, channel: str) -> bool:
        """Whether this user may read a channel, or the one that it is a lane of."""
        base = split_lane(channel)[0]
        if base.startswith(ROOM):
            return bool(self._of_room(grants, base).ranges)
        if base.startswith(AUDIT):
            about = base.removeprefix(AUDIT)
            return grants.allows("admin", about) or self._leads(grants.user, about)
        if self._banned(grants.user, base) and not grants.allows("admin", base):
            return False
        if base.startswith(CLOSED):
            if base.startswith(FENCE) and self._of_fence(grants, base):
                return True
            return self._is_theirs(grants.user, base) or grants.allows("admin", base)
        names = self._readers_of(base)
        return not names or grants.user in names or grants.allows("admin", base)

    def readable(self, grants: Grants, channel: str) -> Spans:
        """What of a channel's streams this user may read, as far as is known here."""
        if channel.startswith(ROOM):
            return self._of_room(grants, channel)
        return ALL if self.allow(grants, channel) else NOTHING

    def hidden_from(self, grants: Grants, patterns: Collection[str] = ("*",)) -> list[str]:
        """The channels that this user may not read, because of their settings, of those that these patterns
        of streams cover: what others close elsewhere is none of their concern."""
        return [channel for channel in self.hiding(grants, patterns) if channel is not None]

    def hiding(self, grants: Grants, patterns: Collection[str]) -> Iterator[str | None]:
        """The same one by one, and None for each that is looked at and open to them."""
        user, administers = grants.user, bool(grants.can.get("admin"))
        for found in self._closed(covering(patterns)):
            if found is None:
                yield None
                continue
            channel, names = found
            hidden = (
                user not in names
                and not channel.startswith(CLOSED)
                and not (administers and grants.allows("admin", channel))
            )
            yield channel if hidden else None

    def open_to(self, grants: Grants) -> list[str] | None:
        """Of the channels whose names close them, those that this user may read; None: all of them."""
        if grants.allows("admin", "*"):
            return None
        user = grants.user
        shared = [channel for channel, names in self._shared.items() if user in names]
        return [user_channel(user), notify_channel(user), *shared]

    def _is_theirs(self, user: str, channel: str) -> bool:
        if channel.startswith((USER, NOTIFY)):
            return channel in (user_channel(user), notify_channel(user))
        return user in self._shared.get(channel, ())
