"""Who may do what over HTTP: one place that every route asks, with the same tokens as the edges."""

import re
import secrets
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from aiohttp import web

from control.rooms.state import is_room
from control.state import ControlState
from kernel.access.jwks import JwksKeys
from kernel.access.tokens import (
    EVERYTHING,
    READING,
    Action,
    Grants,
    Keys,
    StaticKeys,
    UnknownKey,
    Verifier,
    anonymous_allowed,
    everything,
    has_keys,
    is_loopback,
    shown_token,
    without_token,
)
from kernel.access.users import ROOM, check_device, check_user
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.fair import WHOSE
from kernel.log.positions import Stream
from kernel.settings.reading import Settings
from search_indexer.searching.scope import Seen

#: Who asks, percent-encoded, where there are no keys.
USER_HEADER: Final = "Touchline-User"
DEVICE_HEADER: Final = "Touchline-Device"
#: A `%` that begins no byte.
_NO_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Caller(NamedTuple):
    """Who asks: a token's user, whoever says who they are, or the operator without a name (None)."""

    user: str | None
    #: Whether it may post events in the name of others.
    speaks_for_others: bool = False
    #: Whose budgets this counts for; None: nobody's.
    bound: str | None = None
    #: Without token or name: the next request is of somebody else.
    nameless: bool = False


class Scope(NamedTuple):
    """Which streams somebody may do something on: those of the patterns in channels that are seen."""

    patterns: tuple[str, ...] = EVERYTHING
    seen: Seen = Seen()
    #: Whose it is; None: the operator's.
    user: str | None = None
    #: As in Caller.
    bound: str | None = None


class Reader(NamedTuple):
    """Whoever asks for something that goes with events: whoever may read an event may have it."""

    grants: Grants | None
    state: ControlState

    @property
    def user(self) -> str | None:
        return None if self.grants is None else self.grants.user

    @property
    def bound(self) -> str | None:
        """As in Caller."""
        return None if self.grants is None or self.grants.allows("admin", "*") else self.grants.user

    async def may_read(self, stream: Stream, seq: int, members_at: int = 0) -> bool:
        """Whether the event at this place is theirs to read; `members_at` is the latest change of its room
        before it. Raises `unavailable`."""
        if self.grants is None and not is_room(stream):
            return True
        grants = self.grants or everything("")
        if not grants.reads(str(stream)):
            return False
        if not is_room(stream):
            return self.state.may_read(grants, stream.channel)
        rooms = self.state.rooms
        await rooms.as_of(stream.channel, members_at)
        if seq in rooms.readable(grants, stream.channel):
            return True
        await rooms.fresh()  # who was just let in is not turned away
        return seq in rooms.readable(grants, stream.channel)


class Access:
    """Decides by the settings: without keys everybody may do everything, and only on loopback."""

    def __init__(self, settings: Settings, control_state: ControlState, clock: Clock) -> None:
        auth, self._state = settings.auth, control_state
        static: Keys = StaticKeys(auth)
        self._jwks = JwksKeys(auth.jwks_url, static, clock) if auth.jwks_url else None
        keyed = self._keyed = has_keys(auth)
        self._verifier = Verifier(auth, self._jwks or static, clock) if keyed else None
        self._on_loopback = is_loopback(settings.gateway.host)
        self._open = anonymous_allowed(auth, on_loopback=self._on_loopback)

    async def require(self, request: web.Request, action: Action, what: str) -> Caller:
        """The caller, if this is allowed on this stream or channel. Raises `unauthorized` or `forbidden`."""
        grants = await self._grants(request)
        WHOSE.set("" if grants is None else grants.user)
        if grants is None:
            return Caller(None)
        channel = what.rpartition(":")[2]
        if not grants.allows(action, what):
            if action == "admin" and channel.startswith(ROOM):  # whoever is not in it is told of no room
                await self._state.rooms.seen_by(grants, channel.removeprefix(ROOM))
            who = "The token does not allow" if grants.by_token else "Without a token nobody may"
            raise TouchlineError("forbidden", f"{who} {action} on {what}.")
        if channel.startswith(ROOM):
            if action in READING:  # what a room's members alone do
                await self._state.rooms.seen_by(grants, channel.removeprefix(ROOM))
        elif action in READING and not self._state.may_read(grants, channel):
            raise TouchlineError("forbidden", f"{what} is not for {grants.user[:80]} to read.")
        return Caller(
            grants.user,
            speaks_for_others=grants.allows("admin", what),
            bound=self._bound(grants),
            nameless=grants.anonymous,
        )

    async def reader(self, request: web.Request) -> Reader:
        """Who asks, to be asked in turn what they may read. Raises `unauthorized`."""
        grants = await self._grants(request)
        WHOSE.set("" if grants is None else grants.user)
        return Reader(grants, self._state)

    async def grants(self, request: web.Request) -> Grants:
        """What the caller may do; an operator's are all, without a name. Raises `unauthorized`."""
        return await self._grants(request) or everything("")

    async def scope(self, request: web.Request, action: Action) -> Scope:
        """The streams on which this is allowed. Raises `unauthorized`."""
        grants = await self._grants(request)
        WHOSE.set("" if grants is None else grants.user)
        if grants is None:
            return Scope()
        hidden = await self._state.hidden_in_turns(grants, grants.can.get(action, ()))
        own = self._state.readers.open_to(grants)
        rooms, ranges = self._state.rooms.seen_in_search(grants.user) if own is not None else ([], [])
        seen = Seen(hidden, own, tuple(grants.can.get("admin", ())), rooms, ranges)
        return Scope(tuple(grants.can.get(action, ())), seen, grants.user, self._bound(grants))

    @staticmethod
    def _bound(grants: Grants) -> str | None:
        return None if grants.allows("admin", "*") else grants.user

    async def _grants(self, request: web.Request) -> Grants | None:
        token = token_of(request)
        if token is not None and self._verifier is not None:
            grants = await self._verified(self._verifier, token)
            if self._state.revokes(grants):
                raise TouchlineError("unauthorized", "The token was revoked: get a new one.")
            return grants
        if self._open:
            name = None if self._keyed else user_of(request)
            if name is None and self._on_loopback and not self._keyed:
                return None  # the operator
            guest = f"guest-{secrets.token_urlsafe(6)}"
            return without_token(name, guest, keyed=self._keyed, on_loopback=self._on_loopback)
        raise TouchlineError(
            "unauthorized",
            "A token is needed: Authorization: Bearer …" if self._verifier else "No keys are set here.",
            hint="" if self._verifier else "Set TOUCHLINE_AUTH_SECRET, or listen on loopback.",
        )

    async def _verified(self, verifier: Verifier, token: str) -> Grants:
        try:
            return verifier.grants(token)
        except UnknownKey:
            if self._jwks is None or not await self._jwks.refresh():
                raise
            return verifier.grants(token)


def user_of(request: web.Request) -> str | None:
    """Who the request says that it is of. Raises `bad_request`."""
    given = request.headers.getall(USER_HEADER, [])
    if not given:
        return None
    try:
        (encoded,) = given
        name = None if _NO_PERCENT.search(encoded) else unquote_to_bytes(encoded.strip()).decode()
    except ValueError:
        name = None
    if name is None:
        raise TouchlineError(
            "bad_request", f"{USER_HEADER} is one name, in percent-encoded UTF-8: Touchline-User: ana"
        )
    return check_user(name)


def device_of(request: web.Request) -> str:
    """The device that asks; empty where it does not say. Raises `bad_request`."""
    return check_device(request.headers.get(DEVICE_HEADER, request.query.get("device", "")))


def token_of(request: web.Request) -> str | None:
    """From `Authorization: Bearer`, or `?token=`."""
    return shown_token(request.headers.get("Authorization"), request.query.get("token"))
