"""A browser's push subscription, as `PushSubscription.toJSON()` gives it. Pure."""

from base64 import urlsafe_b64decode
from typing import Any, Final

import msgspec

from kernel.errors import TouchlineError

_P256_BYTES: Final = 65
_UNCOMPRESSED: Final = 4
_AUTH_BYTES: Final = 16


class Keys(msgspec.Struct, frozen=True):
    """The browser's keys, in URL-safe base64."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct, frozen=True):
    """Where messages for one browser go, and the keys for which they are encrypted."""

    endpoint: str
    keys: Keys


def unpadded(text: str) -> bytes:
    """URL-safe base64 with or without padding. Raises ValueError."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def read_subscription(given: Any) -> Subscription:
    """Raise `bad_request` for what no browser gives."""
    try:
        found = msgspec.convert(given, Subscription)
        point, auth = unpadded(found.keys.p256dh), unpadded(found.keys.auth)
    except (msgspec.ValidationError, ValueError):
        raise _wrong() from None
    if len(point) != _P256_BYTES or point[0] != _UNCOMPRESSED or len(auth) != _AUTH_BYTES:
        raise _wrong()
    return found


def _wrong() -> TouchlineError:
    return TouchlineError(
        "bad_request", "push is a browser's subscription: {endpoint, keys: {p256dh, auth}}, as it gives it."
    )
