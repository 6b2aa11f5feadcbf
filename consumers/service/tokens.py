"""What a token allows on this edge: its signature, whether it was revoked, and who comes without one."""

from collections.abc import Callable
from typing import Final

from control.revocations import Revocations
from kernel.access.jwks import JwksKeys
from kernel.access.tokens import (
    Grants,
    StaticKeys,
    UnknownKey,
    Verifier,
    anonymous_allowed,
    has_keys,
    is_loopback,
    without_token,
)
from kernel.access.users import check_user
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

_NEEDED: Final = "A token is needed: Authorization: Bearer …, or ?token=."


class Tokens:
    """Tokens to grants. With no keys set nobody's can be verified; `anonymous` lets in who shows none."""

    def __init__(
        self,
        verifier: Verifier | None,
        jwks: JwksKeys | None,
        *,
        anonymous: bool,
        on_loopback: bool,
        new_id: Callable[[], str],
        revocations: Revocations,
    ) -> None:
        self._verifier, self._jwks, self._new_id = verifier, jwks, new_id
        self.anonymous, self._on_loopback = anonymous, on_loopback
        self.revocations = revocations

    @property
    def verifiable(self) -> bool:
        """Whether keys are set, so that a token that is shown is looked at."""
        return self._verifier is not None

    @property
    def fetchable(self) -> bool:
        """Whether keys that are not known may be had from the issuer."""
        return self._jwks is not None

    def verify(self, token: str) -> Grants:
        """What it allows, by the keys that are here. Raises TouchlineError `unauthorized`, or UnknownKey."""
        if self._verifier is None:
            raise TouchlineError("unauthorized", "No keys are set here: tokens cannot be verified.")
        grants = self._verifier.grants(token)
        if self.revocations.covers(grants):
            raise TouchlineError("unauthorized", "The token was revoked: get a new one.")
        return grants

    async def grants(self, token: str) -> Grants:
        """What it allows; the issuer is asked for keys that are not here. Raises as `verify` does."""
        try:
            return self.verify(token)
        except UnknownKey:
            if self._jwks is None or not await self._jwks.refresh():
                raise
            return self.verify(token)

    def without(self, name: str | None, guest_id: str) -> Grants:
        """What somebody without a token may do. Raises TouchlineError `bad_request` for what is no name."""
        given = None if name is None or self.verifiable else check_user(name)
        guest = f"guest-{guest_id[:8]}"
        return without_token(given, guest, keyed=self.verifiable, on_loopback=self._on_loopback)

    def grants_now(self, token: str | None, name: str | None) -> Grants:
        """What a request over plain HTTP may do. Raises TouchlineError `unauthorized`; UnknownKey where
        `fetch_keys` may bring the key."""
        if token is not None and self._verifier is not None:
            try:
                return self.verify(token)
            except UnknownKey as error:
                if self._jwks is not None and self._jwks.due:
                    raise
                raise TouchlineError(error.code, error.message) from None
        if self.anonymous:
            return self.without(name, self._new_id())
        raise TouchlineError("unauthorized", _NEEDED)

    async def fetch_keys(self) -> None:
        """Look whether the issuer has new keys."""
        if self._jwks is not None:
            await self._jwks.refresh()


def tokens_of(
    settings: Settings, clock: Clock, revocations: Revocations, *, new_id: Callable[[], str]
) -> Tokens:
    """By an edge's settings."""
    auth, on_loopback = settings.auth, is_loopback(settings.edge.host)
    static = StaticKeys(auth)
    jwks = JwksKeys(auth.jwks_url, static, clock) if auth.jwks_url else None
    return Tokens(
        Verifier(auth, jwks or static, clock) if has_keys(auth) else None,
        jwks,
        anonymous=anonymous_allowed(auth, on_loopback=on_loopback),
        on_loopback=on_loopback,
        new_id=new_id,
        revocations=revocations,
    )
