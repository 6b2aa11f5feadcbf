"""How long a viewer waits: back-off with full jitter, patience with a silent edge, a token's renewal."""

import base64
import binascii
from typing import Any, Final

import msgspec

FIRST_BACK_OFF_MS: Final = 500.0
LONGEST_BACK_OFF_MS: Final = 20_000.0
#: A connection that lived so long starts the back-off anew.
PROVEN_MS: Final = 10_000.0
#: How long an answer to a ping may take.
PONG_MS: Final = 10_000.0
#: The same after the network came back: somebody is waiting.
QUICK_PONG_MS: Final = 3_000.0
#: From opening a socket to the edge's welcome.
CONNECT_MS: Final = 15_000.0
_ROOM_MS: Final = 30_000.0


def back_off(attempt: int, chance: float) -> float:
    """Exponential with full jitter, 0.5 s to 20 s: a crowd that lost its edge does not come back as one."""
    return float(chance * min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** min(attempt, 10)))


def renew_in(token: str, wall_ms: float) -> float | None:
    """Milliseconds until a JWT should be renewed; None where the token does not tell when it ends."""
    parts = token.split(".")
    if len(parts) < 2:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(padded))
        left = float(claims["exp"]) * 1000 - wall_ms
    except (binascii.Error, msgspec.DecodeError, KeyError, TypeError, ValueError):
        return None
    # A tenth of what is left, and at least half a minute, as room for a slow token service.
    return max(1000.0, left - max(_ROOM_MS, left / 10))
