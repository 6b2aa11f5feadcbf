"""What somebody says of a file before they upload it: checked here. Pure."""

import re
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from control.attachments.references import Facts
from kernel.access.tokens import parse_stream
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream, split_lane

MAX_NAME: Final = 255
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}").fullmatch
#: Controls; what parts of paths are told by; and what lets text run backwards: `photo_exe.jpg` is none.
_NOT_IN_NAMES: Final = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Announced(msgspec.Struct):
    """The body of POST /v1/attachments."""

    stream: str
    name: str
    type: str
    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-fA-F]{64}$")]


def facts_of(said: Announced, owner: str | None, device: str, most: int) -> Facts:
    """What the attachment will be. Raises `bad_request`, `bad_channel` or `too_large`."""
    stream = parse_stream(said.stream)
    if stream.kind is not Kind.CHAT:
        raise TouchlineError("bad_request", f"Messages of chats have attachments; {stream} is none.")
    if not 1 <= len(said.name) <= MAX_NAME or _NOT_IN_NAMES.search(said.name) or said.name in (".", ".."):
        raise TouchlineError(
            "bad_request",
            f"name has 1 to {MAX_NAME} characters: no controls, no slashes, none that turn text round.",
        )
    type_ = said.type.lower()
    if _TYPE(type_) is None:
        raise TouchlineError("bad_request", f"type is {said.type[:80]!r}: it is like image/png.")
    if said.size > most:
        raise TouchlineError(
            "too_large", f"An attachment has at most {most} bytes; this one has {said.size}."
        )
    base = Stream(stream.kind, split_lane(stream.channel)[0])
    return Facts(
        stream=str(base),
        name=said.name,
        type=type_,
        size=said.size,
        sha256=said.sha256.lower(),
        owner=owner,
        device=device,
    )
