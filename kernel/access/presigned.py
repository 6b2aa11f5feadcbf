"""Addresses that speak for themselves: signed, so that whoever has one may do what it says until it ends.

Keys are rotated by the setting `attachments.keys`: the first one signs, all of them are believed. Put the
new one first, and take the old one out when the last address that it signed has ended.
"""

import base64
import hmac
from typing import Final

import msgspec

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

_PURPOSE: Final = b"touchline attachments"


class UrlSigner:
    """Signs texts, and believes those that any of its keys has signed."""

    def __init__(self, settings: Settings) -> None:
        self._keys = [key.encode() for key in settings.attachments.keys]
        if not self._keys and settings.auth.internal_secret:
            # A key of its own: what is signed here is no signature anywhere else.
            self._keys = [hmac.digest(settings.auth.internal_secret.encode(), _PURPOSE, "sha256")]

    @property
    def able(self) -> bool:
        """Whether there is a key."""
        return bool(self._keys)

    def sign(self, *parts: str) -> str:
        """The signature of these texts. Raises `unavailable` where there is no key."""
        if not self._keys:
            raise TouchlineError(
                "unavailable",
                "Attachments need a key that signs their addresses, and none is set.",
                hint="Set TOUCHLINE_ATTACHMENTS_KEYS, or TOUCHLINE_AUTH_INTERNAL_SECRET.",
            )
        return _mac(self._keys[0], parts)

    def signed(self, signature: str, *parts: str) -> bool:
        """Whether one of the keys has signed these texts."""
        given = signature.encode("utf-8", "replace")
        return any(hmac.compare_digest(given, _mac(key, parts).encode()) for key in self._keys)


def _mac(key: bytes, parts: tuple[str, ...]) -> str:
    # As JSON: no two lists of texts are written alike.
    digest = hmac.digest(key, msgspec.json.encode(parts), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
