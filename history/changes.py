"""Who may change what was said: an edit or a retraction is its author's, or an administrator's. Who may
change everybody's messages pins them, and nobody else does.

The doors (edges and gateway) ask here before they post one: they know who speaks, and the log knows who
wrote what is to be changed. What people vote on nobody edits. Whoever writes to Kafka directly is trusted,
as with everything else.
"""

from typing import Any, Final, NamedTuple, Protocol

import msgspec

from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, split_lane
from schemas.checks import CHANGES, EDIT, PIN, PINS, is_id


class Finder(Protocol):
    """Finds events by their id."""

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        """The event's JSON object, as it was accepted; None where there is none. With `lanes` it may be on
        any of them."""


class Polls(Protocol):
    """Knows what is voted on."""

    def poll(self, stream: Stream, poll: str, /) -> object | None:
        """The poll of that event; None where it is none."""


class Change(NamedTuple):
    """What is to be changed, and how, as it was posted."""

    target: Any
    type: str | None


class _Head(msgspec.Struct):
    type: str = ""
    sender: str | None = None
    n: int | None = None
    retracted: bool = False


_said: Final = msgspec.json.Decoder(_Head).decode


def is_change(stream: Stream, type_: str | None) -> bool:
    """Whether an event of this type is about an earlier one."""
    return stream.kind is Kind.CHAT and type_ in CHANGES


def must_be_there(type_: str | None) -> bool:
    """Whether what an event of this type is about is looked for, whoever posts it."""
    return type_ in PINS


async def check_change(
    finder: Finder,
    stream: Stream,
    change: Change,
    user: str,
    lanes: int = 0,
    *,
    anybodys: bool = False,
) -> int | None:
    """Raise `not_found`, `bad_request` or `forbidden` where this user may not change an event so; or
    `unavailable`.

    Returns the event's number, where it has one. `anybodys`: they may change whoever's it is."""
    target, type_ = change
    if type_ in PINS and not anybodys:
        raise TouchlineError("forbidden", "Only who moderates the channel may pin its messages.")
    if not (isinstance(target, str) and target.isascii() and target.isdigit() and len(target) <= 40):
        return None  # not an id at all: the checks of every event say so
    body = await finder.find(stream, target, lanes)
    if body is None:
        raise TouchlineError("not_found", f"There is no event {target} on {stream}.")
    said = _said(body)
    if type_ == PIN and (said.retracted or said.type in CHANGES):
        raise TouchlineError("bad_request", f"Event {target} is no message that could be pinned.")
    if said.sender != user and not anybodys:
        raise TouchlineError("forbidden", "Only who has said it, or administers the channel, may change it.")
    return said.n


def check_no_poll(polls: Polls, stream: Stream, type_: str | None, target: Any) -> None:
    """Raise `bad_request` where an edit is about a poll: it stays as it was when people voted."""
    if not is_change(stream, type_) or type_ != EDIT or not is_id(target):
        return
    base = Stream(stream.kind, split_lane(stream.channel)[0])
    if polls.poll(base, target) is not None:
        raise TouchlineError("bad_request", "A poll cannot be edited: take it back, and ask another one.")
