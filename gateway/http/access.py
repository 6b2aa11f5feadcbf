"""Who may do what over HTTP: one place that every route asks, with the same tokens as the edges."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from aiohttp import web

from gateway.control_state import ControlState
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.jwks import JwksKeys
from kernel.settings import Settings
from kernel.tokens import (
    EVERYTHING,
    Action,
    Grants,
    Keys,
    StaticKeys,
    UnknownKey,
    Verifier,
    anonymous_allowed,
    is_loopback,
)

#: What one does with what others have posted: a channel's settings may keep it to some.
_READING: Final[tuple[Action, ...]] = ("subscribe", "history")


class Caller(NamedTuple):
    """Who asks: a token's user, or nobody in particular (None) where no token is needed."""

    user: str | None
    #: Whether it may post events in the name of others.
    speaks_for_others: bool = False
    #: Whose budgets this counts for; None: nobody's.
    bound: str | None = None


class Scope(NamedTuple):
    """Which streams somebody may do something on: those of the patterns, without those of hidden channels."""

    patterns: tuple[str, ...] = EVERYTHING
    hidden: Sequence[str] = ()
    #: As in Caller.
    bound: str | None = None


class Access:
    """Decides by the settings: without keys everybody may do everything, and only on loopback."""

    def __init__(self, settings: Settings, control_state: ControlState, clock: Clock) -> None:
        auth, self._board = settings.auth, control_state
        static: Keys = StaticKeys(auth)
        self._jwks = JwksKeys(auth.jwks_url, static, clock) if auth.jwks_url else None
        keyed = bool(auth.secret or auth.public_key or auth.jwks_url)
        self._verifier = Verifier(auth, self._jwks or static, clock) if keyed else None
        self._open = anonymous_allowed(auth, on_loopback=is_loopback(settings.gateway.host))

    async def require(self, request: web.Request, action: Action, what: str) -> Caller:
        """The caller, if this is allowed on this stream or channel. Raises `unauthorized` or `forbidden`."""
        grants = await self._grants(request)
        if grants is None:
            return Caller(None)
        if not grants.allows(action, what):
            raise TouchlineError("forbidden", f"The token does not allow {action} on {what}.")
        if action in _READING and not self._board.may_read(grants, what.rpartition(":")[2]):
            raise TouchlineError("forbidden", f"The channel's settings do not let {grants.user} read {what}.")
        return Caller(grants.user, speaks_for_others=grants.allows("admin", what), bound=self._bound(grants))

    async def scope(self, request: web.Request, action: Action) -> Scope:
        """The streams on which this is allowed. Raises `unauthorized`."""
        grants = await self._grants(request)
        if grants is None:
            return Scope()
        patterns = tuple(grants.can.get(action, ()))
        return Scope(patterns, self._board.hidden_from(grants), self._bound(grants))

    @staticmethod
    def _bound(grants: Grants) -> str | None:
        return None if grants.allows("admin", "*") else grants.user

    async def _grants(self, request: web.Request) -> Grants | None:
        token = token_of(request)
        if token is not None and self._verifier is not None:
            grants = await self._verified(self._verifier, token)
            if self._board.revokes(grants):
                raise TouchlineError("unauthorized", "The token was revoked: get a new one.")
            return grants
        if self._open:
            return None
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


def token_of(request: web.Request) -> str | None:
    """From `Authorization: Bearer`, or `?token=`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return request.query.get("token")
