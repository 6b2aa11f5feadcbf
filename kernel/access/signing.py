"""Signed records: what roles write into kept places carries a MAC by a secret that only roles have.

The setting `[auth] internal_secret` is that secret; `touchline up` makes one. Without it nothing can be
signed, and nothing counts as signed. The MAC binds kind, channel and value: it fits no other stream or text.
"""

import hmac
from typing import Final

from kernel.errors import TouchlineError
from kernel.log.records import Headers
from kernel.settings.reading import Auth

HEADER: Final = "touchline-signed"
_MIN_SECRET: Final = 32


class Signer:
    """Signs and verifies."""

    def __init__(self, auth: Auth) -> None:
        self._secret = auth.internal_secret.encode()
        if self._secret and len(self._secret) < _MIN_SECRET:
            raise TouchlineError(
                "bad_setting",
                "TOUCHLINE_AUTH_INTERNAL_SECRET is too short: it has 32 bytes or more.",
            )

    @property
    def able(self) -> bool:
        """Whether there is a secret."""
        return bool(self._secret)

    def headers(self, kind: str, channel: str, value: bytes) -> Headers | None:
        """The headers of a record on this ingest topic; none without a secret."""
        return [(HEADER, self._mac(kind, channel, value))] if self._secret else None

    def signed(self, kind: str, channel: str, value: bytes, headers: Headers | None) -> bool:
        """Whether a role wrote this record."""
        if not self._secret or not headers:
            return False
        given = next((mac for name, mac in headers if name == HEADER), None)
        return isinstance(given, bytes) and hmac.compare_digest(given, self._mac(kind, channel, value))

    def _mac(self, kind: str, channel: str, value: bytes) -> bytes:
        # Neither kinds nor channels hold a zero byte, so no two records give the same text.
        return hmac.digest(self._secret, b"%b\0%b\0%b" % (kind.encode(), channel.encode(), value), "sha256")
