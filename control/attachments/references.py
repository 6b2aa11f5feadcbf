"""What is known of attachments: facts beside their bytes, and marks on the log: who posted, who fetched them.

Facts never change; a store keeps them with the bytes, so what has arrived is known wherever the bytes are.
Marks are records a pair in a compacted topic: facts too, each under a key of its own, so nobody needs to
own them and writing one again changes nothing (decision 0094). The workers write who posted and who took
back, as outputs of the fold; gateways write who has fetched.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from control.entity.types import EntityType, Stamp, pair_key, prefix_of
from control.entity.view import View
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec, Undecodable
from schemas.registry import codec_for

What = Literal["posted", "retracted", "fetched"]
#: What lists of marks there are (`View.listed`).
RETRACTED: Final = 1
FETCHED: Final = 2
_FLAGS: Final = {"retracted": RETRACTED, "fetched": FETCHED}
_RETRACTION: Final = "!"
_DEVICE: Final = "@"
_SHORT: Final = 32


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What an attachment is. `owner`: None for the operator's; `device`: that from which it comes."""

    stream: str
    name: str
    type: str
    size: int
    sha256: str
    owner: str | None = None
    device: str = ""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the topic. See schemas/avsc/attachment."""

    what: str
    stream: str
    seq: int = 0
    event: str = ""
    target: str | None = None
    user: str | None = None
    device: str | None = None
    members_at: int = 0
    at: int = 0


def posted_key(attachment: str, event: str) -> bytes:
    """Where it is written that a message has an attachment …"""
    return pair_key(attachment, event)


def names_key(event: str, attachment: str) -> bytes:
    """… and the same, to be found by the message."""
    return pair_key(event, attachment)


def retracted_key(event: str, stream: str) -> bytes:
    """Where it is written that a message was taken back: of this stream, and of no other."""
    return pair_key(event, _RETRACTION + stream)


def fetched_key(attachment: str, user: str, device: str) -> bytes:
    """Where it is written that a device has an attachment."""
    who = hashlib.sha256(msgspec.json.encode([user, device])).hexdigest()[:_SHORT]
    return pair_key(attachment, _DEVICE + who)


def mark_type(settings: Settings) -> EntityType[Mark]:
    """The records, as the tables hold them."""
    codec = codec_for(settings, "attachment")
    return EntityType(
        name="attachments",
        topic=topic_names(settings).attachments,
        encode=lambda mark: encoded(mark, codec),
        decode=lambda value: _decode(codec, value),
        stamp_of=lambda _: Stamp(1),
        with_stamp=lambda mark, _: mark,
        flags=lambda _, mark: _FLAGS.get(mark.what, 0),
    )


def encoded(mark: Mark, codec: Codec) -> bytes:
    """A mark as a record's value."""
    return codec.encode(msgspec.structs.asdict(mark))


def _decode(codec: Codec, value: bytes) -> Mark:
    try:
        return msgspec.convert(codec.decode(value), Mark)
    except msgspec.ValidationError as error:
        raise Undecodable("undecodable", f"The value is no mark of an attachment: {error}.") from None


class Marks:
    """What the log says of attachments, as this role has it."""

    def __init__(self, view: View[Mark], erased_at: Callable[[str], int] = lambda _: 0) -> None:
        """`erased_at` says of a user up to when their messages are as if they were taken back."""
        self._view, self._erased_at = view, erased_at

    @property
    def known(self) -> bool:
        """Whether all that was there at the start is known."""
        return self._view.is_open

    def of(self, attachment: str) -> list[tuple[bytes, Mark]]:
        """All marks of an attachment, with their keys. Raises `unavailable`."""
        return self._all(prefix_of(attachment))

    def about(self, event: str) -> list[tuple[bytes, Mark]]:
        """All marks under a message's id."""
        return self._all(prefix_of(event))

    def posts(self, attachment: str, stream: str) -> list[Mark]:
        """The messages of its stream that have it and were not taken back. Raises `unavailable`.

        Kafka takes records from anybody: what a record of another stream says of it counts for nothing."""
        posts = [mark for _, mark in self.of(attachment) if mark.what == "posted" and mark.stream == stream]
        return [post for post in posts if not self.retracted(post)]

    def posted(self, attachment: str) -> bool:
        """Whether a message has it, or had it before it was taken back."""
        return any(mark.what == "posted" for _, mark in self.of(attachment))

    def retracted(self, post: Mark) -> bool:
        """Whether the message was taken back, or the one that it is an edit of."""
        if post.user is not None and post.at <= self._erased_at(post.user):
            return True
        return any(
            self._view.get(retracted_key(event, post.stream)) is not None
            for event in (post.event, post.target)
            if event
        )

    def fetched(self, attachment: str) -> set[tuple[str, str]]:
        """The devices that have it, as (user, device)."""
        marks = (mark for _, mark in self.of(attachment) if mark.what == "fetched")
        return {(mark.user or "", mark.device or "") for mark in marks}

    def listed(self, flag: int) -> Iterator[tuple[bytes, Mark]]:
        """All marks of this sort."""
        return self._view.listed(flag)

    def _all(self, prefix: bytes) -> list[tuple[bytes, Mark]]:
        found, after = list[tuple[bytes, Mark]](), b""
        while page := self._view.scan(prefix, after=after):
            found += page
            after = page[-1][0]
        return found


def not_there(attachment: str) -> TouchlineError:
    """The refusal of whoever names an attachment that is not theirs to name."""
    return TouchlineError(
        "not_found",
        f"There is no attachment {attachment[:40]!r} here: its bytes have not arrived whole, or it is of"
        " another stream or user.",
    )
