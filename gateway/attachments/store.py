"""Where attachments' bytes lie: what every store does alike.

A store keeps an attachment's bytes and its facts together, or neither: what is found has arrived whole.
Clients come to the bytes by addresses that speak for themselves, for some minutes. Ids are listed in the
order of time.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from control.attachments.references import Facts

#: Ids of one look.
LISTED: int = 1000


class Address(NamedTuple):
    """Where to send or fetch bytes, and what has to be sent along. `expires_s`: until when, since 1970."""

    method: str
    url: str
    headers: Mapping[str, str]
    expires_s: int


class Store(Protocol):
    """All methods may raise `unavailable`."""

    async def upload(self, attachment: str, facts: Facts, base: str) -> Address:
        """Where its bytes go to. `base` is where the client found the gateway."""

    async def find(self, attachment: str) -> Facts | None:
        """What it is, if its bytes have arrived whole."""

    async def download(self, attachment: str, facts: Facts, base: str) -> Address:
        """Where its bytes are to be had."""

    async def delete(self, attachment: str) -> None:
        """Take it away; nothing happens where it is not there."""

    async def listed(self, after: str, before: str) -> list[str]:
        """Up to `LISTED` ids of those that have arrived, behind `after` and before `before`, in order."""

    async def tidy(self, now_ms: int) -> None:
        """Throw away what was begun and never finished."""
