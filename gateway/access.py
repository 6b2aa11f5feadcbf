"""Who may do what over HTTP: one function that every route asks."""

from typing import Final, Literal, NamedTuple

from aiohttp import web

from kernel.errors import TouchlineError
from kernel.settings import Settings

Action = Literal["subscribe", "publish", "history", "search", "admin"]
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Caller(NamedTuple):
    """Who asks: a token's user, or nobody in particular (None) where no token is needed."""

    user: str | None
    #: Whether it may post events in the name of others.
    speaks_for_others: bool = False


class Access:
    """Decides by the settings: without keys everybody may do everything, and only on loopback."""

    def __init__(self, settings: Settings) -> None:
        auth = settings.auth
        keys = bool(auth.secret or auth.public_key or auth.jwks_url)
        self._open = auth.anonymous == "on" or (
            auth.anonymous == "auto" and not keys and settings.gateway.host in LOOPBACK
        )

    async def require(self, request: web.Request, action: Action, what: str) -> Caller:  # noqa: ARG002
        """The caller, if this is allowed on this stream or channel. Raises `unauthorized` or `forbidden`."""
        if self._open:
            return Caller(None)
        raise TouchlineError("unauthorized", "A bearer token is needed.")

    async def scope(self, request: web.Request, action: Action) -> tuple[str, ...]:  # noqa: ARG002
        """Patterns of the streams on which this is allowed. Raises `unauthorized`."""
        if self._open:
            return ("*",)
        raise TouchlineError("unauthorized", "A bearer token is needed.")
