"""Cursors: where a page of hits ended, signed, so that what comes back is what was given out.

A cursor holds nothing of a server's: it outlives restarts of indexer, gateway and Elasticsearch. It gives no
rights either: whoever brings one sees what their own grants show.
"""

import base64
import binascii
import hmac
from hashlib import sha256
from typing import Any, Final

import msgspec

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

_SIGNATURE: Final = 12
_LONGEST: Final = 400


class Cursor(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The sort values of a page's last hit, the search that they belong to, and when that was first asked."""

    search: bytes
    after: tuple[float | int, ...]
    now: int = 0


class Cursors:
    """Makes cursors and reads them."""

    def __init__(self, settings: Settings) -> None:
        # Without a secret of the deployment the signature finds damage, not malice; grants are what protects.
        seed = settings.auth.secret or settings.elasticsearch.index_prefix
        self._key = hmac.digest(seed.encode(), b"touchline search cursor", sha256)

    def make(self, search: Any, after: list[Any], now: int = 0) -> str:
        """The cursor behind a hit with these sort values; `now` is when the first page was asked for."""
        return self.behind(fingerprint(search), after, now)

    def behind(self, mark: bytes, after: list[Any], now: int) -> str:
        """The same, of a search whose fingerprint was taken before: for each row of many."""
        return self.signed(msgspec.msgpack.encode(Cursor(mark, tuple(after), now)))

    def now_of(self, text: str) -> int:
        """When the first page of this one's search was asked for: `10m` means the same on all of them."""
        return self._opened(text).now

    def signed(self, value: bytes) -> str:
        """The value as text, with a signature that shows whose it is."""
        return base64.urlsafe_b64encode(self._signature(value) + value).rstrip(b"=").decode()

    def read(self, text: str, search: Any, values: int) -> list[Any]:
        """The sort values to go on after. Raises `bad_request` for anything but a cursor of this search."""
        cursor = self._opened(text)
        if cursor.search != fingerprint(search) or len(cursor.after) != values:
            raise TouchlineError(
                "bad_request", "cursor belongs to another search: repeat that one's q, filters and sort."
            )
        return list(cursor.after)

    def _opened(self, text: str) -> Cursor:
        wrong = TouchlineError("bad_request", "cursor is not one that a search has given.")
        try:
            if len(text) > _LONGEST:
                raise wrong
            signed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            signature, value = signed[:_SIGNATURE], signed[_SIGNATURE:]
            if not hmac.compare_digest(signature, self._signature(value)):
                raise wrong
            return msgspec.msgpack.decode(value, type=Cursor)
        except (binascii.Error, ValueError, msgspec.DecodeError):
            raise wrong from None

    def _signature(self, value: bytes) -> bytes:
        return hmac.digest(self._key, value, sha256)[:_SIGNATURE]


def fingerprint(search: Any) -> bytes:
    """What makes two searches the same one. When they were asked does not; what is not said does not either,
    so that a version that knows more takes the cursors of the one before."""
    said = {name: value for name, value in msgspec.to_builtins(search).items() if name != "now"}
    if not said["zone"]:
        del said["zone"]
    return sha256(msgspec.json.encode(said)).digest()[:8]
