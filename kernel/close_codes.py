"""One table of what ends a connection and what refuses a request; edges, clients and docs all read it."""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Final


class Return(StrEnum):
    """What a close code asks of the client."""

    NEVER = "never"
    BACK_OFF = "back_off"
    AT_ONCE = "at_once"


class Close(IntEnum):
    """Close codes of the viewer protocol. Their band says whether, and how, to come back."""

    BAD_TOKEN = 4001
    FORBIDDEN = 4003
    ABUSE = 4008
    TOO_SLOW = 4101
    RATE_LIMIT = 4102
    FULL = 4103
    UNAVAILABLE = 4104
    DRAINING = 4201
    MOVED = 4202
    RENEW_TOKEN = 4203


#: Each code's sentence, which is also the reason that a close frame carries.
CLOSES: Final[Mapping[Close, str]] = MappingProxyType(
    {
        Close.BAD_TOKEN: "The token is missing, wrong or expired: get a new one.",
        Close.FORBIDDEN: "This connection is not allowed here.",
        Close.ABUSE: "Too many bad requests in a row.",
        Close.TOO_SLOW: "You do not read fast enough: come back with your cursors.",
        Close.RATE_LIMIT: "Too many messages: come back later, and send fewer.",
        Close.FULL: "No more connections are taken here: come back later.",
        Close.UNAVAILABLE: "What you missed cannot be read right now: come back with your cursors.",
        Close.DRAINING: "This edge is leaving: come back with your cursors.",
        Close.MOVED: "Your streams are served elsewhere: come back with your cursors.",
        Close.RENEW_TOKEN: "Your token has run out: come back with a new one.",
    }
)

#: WebSocket's own, as far as they mean something here.
_STANDARD: Final = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011})


def close_label(code: int) -> str:
    """The code as a metric's label: of the thousands that a client may close with, most are `other`."""
    return str(int(code)) if code in _STANDARD or code in CLOSES else "other"


#: The first code of each band of a hundred, and what it asks.
BANDS: Final = ((4000, Return.NEVER), (4100, Return.BACK_OFF), (4200, Return.AT_ONCE))


def comes_back(code: int) -> Return:
    """Whether a client comes back after this close code. Codes outside the bands are accidents: back off."""
    for first, what in BANDS:
        if first <= code < first + 100:
            return what
    return Return.BACK_OFF


#: The error codes of the viewer protocol, and whether the same request may succeed later.
RETRY: Final[Mapping[str, bool]] = MappingProxyType(
    {
        "bad_request": False,
        "bad_channel": False,
        "invalid_event": False,
        "unknown_op": False,
        "unauthorized": False,
        "forbidden": False,
        "not_found": False,
        "exists": False,
        "too_many": False,
        "muted": False,
        "ended": False,
        "expired": False,
        "too_large": False,
        "moderated": False,
        "rate_limited": True,
        "limit_reached": True,
        "unavailable": True,
    }
)
