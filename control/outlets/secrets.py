"""Secrets that are kept on the log, sealed by the one that roles share: who reads Kafka learns none."""

import hashlib
import os
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kernel.errors import TouchlineError
from kernel.settings.reading import Auth

_NONCE: Final = 12


class Secrets:
    """Seals and opens."""

    def __init__(self, auth: Auth) -> None:
        secret = auth.internal_secret.encode()
        key = hashlib.sha256(b"touchline outlets\0" + secret).digest()
        self._cipher = AESGCM(key) if secret else None

    def seal(self, text: str, about: str) -> str:
        """A text that only roles read again, and only as one about this. Raises `bad_setting`."""
        if self._cipher is None:
            raise TouchlineError(
                "bad_setting",
                "No secret can be kept: there is none by which roles seal them.",
                hint="Set TOUCHLINE_AUTH_INTERNAL_SECRET, the same for all roles; `touchline up` makes one.",
            )
        nonce = os.urandom(_NONCE)
        return b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), about.encode())).decode()

    def open(self, sealed: str, about: str) -> str:
        """What was sealed. Raises `undecodable`."""
        try:
            raw = b64decode(sealed, validate=True)
            cipher = self._cipher or AESGCM(bytes(32))  # opens nothing
            return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], about.encode()).decode()
        except (InvalidTag, Base64Error, ValueError):
            raise TouchlineError(
                "undecodable", "A secret was sealed by another one than roles have."
            ) from None
