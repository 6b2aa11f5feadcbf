"""Verification keys from a JWKS document, fetched anew when a token names a key that is not in it."""

import asyncio
import json
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from kernel.access.tokens import Keys, PublicKey, algorithm_of
from kernel.clock import Clock
from kernel.process.logs import get_logger

_log = get_logger("touchline.jwks")
_FETCH_S: Final = 5.0
#: A token with an unknown key id, which anybody can make, causes at most one fetch in this time.
_AGAIN_S: Final = 5.0
_MAX_BYTES: Final = 1 << 20


class JwksKeys:
    """The keys of the settings, and those of the document."""

    def __init__(self, url: str, static: Keys, clock: Clock) -> None:
        self._url, self._static, self._clock = url, static, clock
        self._keys: dict[str | None, PublicKey] = {}
        self._fetched_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    def find(self, key_id: str | None, algorithm: str) -> list[PublicKey]:
        """The key of that id, or all where the token names none."""
        named = [self._keys[key_id]] if key_id in self._keys else []
        found = named if key_id is not None else list(self._keys.values())
        return [*self._static.find(key_id, algorithm), *(k for k in found if algorithm_of(k) == algorithm)]

    @property
    def due(self) -> bool:
        """Whether `refresh` would bring anything new."""
        return self._fetching is not None or self._clock.monotonic() - self._fetched_at >= _AGAIN_S

    async def refresh(self) -> bool:
        """Fetch the document, if that was not done just now; whether it was fetched. One fetch serves all."""
        if self._fetching is None:
            if not self.due:
                return False
            self._fetched_at = self._clock.monotonic()
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
        await asyncio.shield(self._fetching)
        return True

    async def _fetch(self) -> None:
        try:
            document = await asyncio.to_thread(_get, self._url)
            found = [(entry.get("kid"), public_key(entry)) for entry in document["keys"]]
            keys = {key_id: key for key_id, key in found if key is not None}
        except (OSError, URLError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("the JWKS cannot be fetched: the keys known so far stay", reason=str(error)[:200])
        else:
            # What the issuer has taken out of the document is not trusted any more.
            self._keys = keys
        finally:
            self._fetching = None


def _get(url: str) -> Any:
    if not url.startswith(("https://", "http://")):
        raise ValueError("the address is not https:// or http://")
    with urlopen(Request(url), timeout=_FETCH_S) as response:  # noqa: S310 - checked above
        return json.loads(response.read(_MAX_BYTES))


def public_key(entry: dict[str, Any]) -> PublicKey | None:
    """A public key of a kind that is used here; others in the document are for others."""
    try:
        key = jwt.PyJWK(entry).key
    except (jwt.PyJWTError, KeyError, TypeError, ValueError):  # of what is missing PyJWT does not always tell
        return None
    return key if isinstance(key, RSAPublicKey | Ed25519PublicKey) else None
