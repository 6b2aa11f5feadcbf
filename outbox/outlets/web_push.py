"""Web Push: notifications to a browser that is away, encrypted for it (RFC 8291), signed (VAPID)."""

import json
import os
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import http_ece
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from control.outlets.notifying import Notifying
from control.outlets.push_subscription import Subscription, unpadded
from control.outlets.vapid import VapidKey
from kernel.clock import Clock, to_rfc3339
from outbox.outlets.outlet import DONE, Item, Outcome
from outbox.outlets.personal import Personal, digest_of
from outbox.outlets.webhook import Poster

#: Push services take 4,096 bytes of a message; what is encrypted is a little more than what is said.
_MOST_BYTES: Final = 3000
_TTL_S: Final = 24 * 60 * 60
_TOKEN_S: Final = 12 * 60 * 60
_RENEW_S: Final = 60 * 60
#: The service does not know the subscription any more.
_ENDED: Final = "it answered 404"
_TOO_LARGE: Final = "it answered 413"


class Vapid:
    """Says to push services who sends, by a key of ours; a token is used for half a day."""

    def __init__(self, key: VapidKey, contact: str, clock: Clock) -> None:
        self._key, self._contact, self._clock = key, contact, clock
        self._tokens: dict[str, tuple[int, str]] = {}

    def authorization(self, endpoint: str) -> str:
        """The header for a service."""
        parts, now_s = urlsplit(endpoint), self._clock.now_ms() // 1000
        audience = f"{parts.scheme}://{parts.netloc}"
        until, token = self._tokens.get(audience, (0, ""))
        if until - now_s < _RENEW_S:
            until = now_s + _TOKEN_S
            claims: dict[str, Any] = {"aud": audience, "exp": until}
            if self._contact:
                claims["sub"] = self._contact
            token = jwt.encode(claims, self._key.private, algorithm="ES256")
            self._tokens[audience] = (until, token)
        return f"vapid t={token}, k={self._key.public}"


class BrowserPush(Personal):
    """A user's browser."""

    sort = "web_push"

    def __init__(self, wishes: Notifying, subscription: str, vapid: Vapid, poster: Poster) -> None:
        """Raises ValueError for what was no subscription."""
        super().__init__(wishes)
        self._to = msgspec.json.decode(subscription, type=Subscription)
        self._vapid, self._poster = vapid, poster

    async def deliver(self, items: Sequence[Item]) -> Outcome:
        headers = {
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(_TTL_S),
            "Urgency": "normal",
            "Authorization": self._vapid.authorization(self._to.endpoint),
        }
        body = encrypted(message_of(items), self._to)
        outcome = await self._poster.post(self._to.endpoint, body, headers)
        if outcome.why == _ENDED:
            return Outcome("gone", outcome.why)
        # What is too large will be so the next time, too.
        return DONE if outcome.why == _TOO_LARGE else outcome


def message_of(items: Sequence[Item]) -> bytes:
    """What a browser is told."""
    last = items[-1]
    said: dict[str, Any] = {"stream": last.stream, "timestamp": to_rfc3339(last.at_ms)}
    if len(items) > 1:
        said |= {"type": "digest", "data": digest_of(items)}
    else:
        event = json.loads(last.body)
        said |= {"type": last.type, "id": last.id, "seq": event["seq"], "data": event["data"]}
    text = msgspec.json.encode(said)
    if len(text) > _MOST_BYTES:
        text = msgspec.json.encode({**said, "data": {}})
    return text


def encrypted(message: bytes, to: Subscription) -> bytes:
    """The message as only this browser reads it."""
    body: bytes = http_ece.encrypt(
        message,
        salt=os.urandom(16),
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=unpadded(to.keys.p256dh),
        auth_secret=unpadded(to.keys.auth),
        version="aes128gcm",
    )
    return body
