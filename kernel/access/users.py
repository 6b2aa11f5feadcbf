"""Users, the channels that are theirs, and the names that are kept for the system. Pure.

Doors (edges, gateway) ask here before they let anybody read or post, and the fold before it accepts.
"""

import hashlib
import re
from typing import Final

from kernel.errors import TouchlineError

MAX_USER: Final = 128
MAX_DEVICE: Final = 128
#: What channels of the system begin with; they have no lanes.
USER, NOTIFY, ROOM = "user-", "notify-", "room-"
ALERT, FENCE, SYSTEM = "alert-", "fence-", "touchline-"
#: What moderators of a channel do is told on one of its own, which only they read.
AUDIT: Final = f"{SYSTEM}audit-"
KEPT: Final = (USER, NOTIFY, ROOM, ALERT, FENCE, SYSTEM)
#: Into those of them only roles write.
_WRITTEN_BY_ROLES: Final = (NOTIFY, ROOM, ALERT, FENCE, SYSTEM)
#: So the system's own senders begin; and what it says of itself in others' channels.
SENDERS: Final = "touchline"
TYPES: Final = frozenset({"room", "poll", "poll_closed", "audience", "counters"})

_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,120}")
_DIGITS: Final = 40
#: What users' own channels are called.
_OWN: Final = re.compile(rf"{USER}(?:{_PLAIN.pattern}|~h[0-9a-f]{{{_DIGITS}}})")
_MAX_CHANNEL: Final = 128


def check_user(name: str) -> str:
    """A user's name as somebody gave it. Raises `bad_request` where it cannot be one."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise TouchlineError("bad_request", "A user's name is text in UTF-8; this is not.") from None
    if not 1 <= len(name) <= MAX_USER:
        raise TouchlineError(
            "bad_request", f"A user's name has 1 to {MAX_USER} characters; this one has {len(name)}."
        )
    return name


def check_device(name: str) -> str:
    """A device's name as somebody gave it. Raises `bad_request` where it is too long."""
    if len(name) > MAX_DEVICE:
        raise TouchlineError(
            "bad_request", f"A device's name has up to {MAX_DEVICE} characters; this one has {len(name)}."
        )
    return name


def name_in_channel(user: str) -> str:
    """A user's name as it stands in channels: itself where it fits, else a hash of it.

    Such names have a `~` and a letter after it: no plain name has one, and no lane does.
    """
    if _PLAIN.fullmatch(user):
        return user
    return f"~h{hashlib.sha256(user.encode()).hexdigest()[:_DIGITS]}"


def user_channel(user: str) -> str:
    """The user's own channel: `location:user-ana` has where ana is."""
    return USER + name_in_channel(user)


def notify_channel(user: str) -> str:
    """Where the system tells the user something."""
    return NOTIFY + name_in_channel(user)


def audit_channel(channel: str) -> str | None:
    """Where it is told what moderators of a channel do; None: its name has no room for that."""
    return AUDIT + channel if len(channel) <= _MAX_CHANNEL - len(AUDIT) else None


def check_post(channel: str, sender: str | None, type_: str | None, *, signs: bool = False) -> None:
    """Raise `forbidden` where only a role may post this. Without a sender it is the channel's own user's.

    `signs`: a role that asks for one of its users, and signs what they say in a room.
    """
    if channel.startswith(_WRITTEN_BY_ROLES) and not (signs and channel.startswith(ROOM)):
        raise TouchlineError("forbidden", f"Only Touchline itself writes into {channel}.")
    if channel.startswith(USER) and not _OWN.fullmatch(channel):
        raise TouchlineError("forbidden", f"{channel} is nobody's: a user's own channel has no lanes.")
    if sender is not None:
        if sender.startswith(SENDERS):
            raise TouchlineError("forbidden", f"Senders that begin with {SENDERS} are Touchline itself.")
        if channel.startswith(USER) and channel != user_channel(sender):
            raise TouchlineError("forbidden", f"Only its user posts into {channel}.")
    if type_ in TYPES:
        raise TouchlineError("forbidden", f"Events of type {type_} are Touchline's own.")
