"""Posting webhooks: in the form of Standard Webhooks, to the address that was checked and to no other."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
import msgspec
from standardwebhooks import Webhook as Signing
from yarl import URL

from kernel.access.outward import Outward, is_address
from kernel.clock import Clock, to_rfc3339
from kernel.settings.outbox import Outbox
from kernel.version import VERSION
from outbox.outlets.outlet import DONE, Item, Outcome
from outbox.outlets.resolver import CheckedResolver

#: Of an answer's body so much is taken, so that the connection can be used again.
_ANSWER_BYTES: Final = 64 * 1024
_OK: Final = range(200, 300)
_GONE: Final = 410
#: Answers whose Retry-After is kept.
_LATER: Final = frozenset({429, 503})
_encode: Final = msgspec.json.Encoder().encode


class Poster:
    """Posts to receivers, whosever they are. Use it as an async context manager."""

    def __init__(self, outward: Outward, settings: Outbox, clock: Clock) -> None:
        self._outward, self._timeout_s, self._clock = outward, settings.timeout_s, clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Poster":
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._outward, self._clock),
            # Each receiver has its own bound; what one takes, nobody else lacks.
            limit=0,
            limit_per_host=0,
            # A name may lead elsewhere the next time: then that is checked.
            ttl_dns_cache=10,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers={"User-Agent": f"Touchline/{VERSION}"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Outcome:
        """Post it, and read the answer as a receiver's."""
        assert self._session is not None  # noqa: S101 - it is entered before it is used
        host = URL(url).host or ""
        if is_address(host) and not self._outward.allows(host):
            return Outcome("again", f"{host} is an address that nothing is posted to")
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status, retry_after = answer.status, answer.headers.get("Retry-After")
                await answer.content.read(_ANSWER_BYTES)
                if not answer.content.at_eof():
                    answer.close()
        except TimeoutError:
            return Outcome("again", f"no answer within {self._timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError) as error:
            return Outcome("again", f"{type(error).__name__}: {error}"[:300])
        return outcome_of(status, retry_after, self._clock.now_ms() / 1000)


def outcome_of(status: int, retry_after: str | None, now_s: float) -> Outcome:
    """What an answer means. A redirect is none: where it leads to nobody has checked."""
    if status in _OK:
        return DONE
    if status == _GONE:
        return Outcome("gone", "410: it wants nothing any more")
    wait_s = None
    if retry_after is not None and status in _LATER:
        wait_s = _seconds(retry_after, now_s)
    return Outcome("again", f"it answered {status}", wait_s)


def _seconds(text: str, now_s: float) -> float | None:
    """Retry-After: seconds, or a date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, at.timestamp() - now_s)


class Signed:
    """Makes posts of events in the form of Standard Webhooks, by one secret."""

    def __init__(self, secret: str, clock: Clock) -> None:
        """`secret`: `whsec_` and base64. Raises ValueError."""
        self._signing, self._clock = Signing(secret), clock

    def headers(self, id_: str, body: bytes) -> dict[str, str]:
        """Id, time and signature."""
        now = datetime.fromtimestamp(self._clock.now_ms() // 1000, UTC)
        return {
            "Content-Type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signing.sign(id_, now, body.decode()),
        }


class WebhookOutlet:
    """A webhook: each event by itself."""

    sort = "webhook"
    digests = False
    at_once = 0

    def __init__(self, url: str, signed: Signed, poster: Poster, shown: Callable[[Item], bytes]) -> None:
        """`shown`: an event as it may be shown now, whatever it was when it came."""
        self._url, self._signed, self._poster, self._shown = url, signed, poster, shown

    async def deliver(self, items: Sequence[Item]) -> Outcome:
        (item,) = items
        body = payload(item, self._shown(item))
        return await self._poster.post(self._url, body, self._signed.headers(item.id, body))

    def hold_until(self, now_ms: int) -> int:  # noqa: ARG002 - systems have no quiet hours
        return 0


def payload(item: Item, body: bytes) -> bytes:
    """`{"type","timestamp","data":event}`."""
    head = b'{"type":%b,"timestamp":"%b","data":' % (_encode(item.type), to_rfc3339(item.at_ms).encode())
    return b"%b%b}" % (head, body)
