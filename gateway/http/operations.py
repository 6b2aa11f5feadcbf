"""The gateway's API as a table: each operation with its route, its handler and what OpenAPI says of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from kernel.access.tokens import parse_stream
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from schemas.checks import check_channel

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Schema = Mapping[str, Any]

CHANNEL_PATTERN: Final = "^[A-Za-z0-9._~-]{1,128}$"


@dataclass(frozen=True)
class Parameter:
    """A parameter of an operation, in its path, query or header."""

    name: str
    place: str
    text: str
    schema: Schema
    required: bool = False


@dataclass(frozen=True)
class Reply:
    """What an operation may answer."""

    text: str
    schema: Schema | None = None
    content_type: str = "application/json"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method on one path. `errors` are codes of kernel.errors; each is a problem+json response."""

    method: str
    path: str
    handler: Handler
    name: str
    summary: str
    tag: str
    parameters: Sequence[Parameter] = ()
    #: Content type -> JSON schema of the request's body.
    body: Mapping[str, Schema] = field(default_factory=dict)
    replies: Mapping[int, Reply] = field(default_factory=dict)
    errors: Sequence[str] = ()

    def route(self) -> web.RouteDef:
        return web.RouteDef(self.method, self.path, self.handler, {})


KIND: Final = Parameter(
    "kind",
    "path",
    "What the stream is about.",
    {"type": "string", "enum": [str(k) for k in Kind]},
    required=True,
)
CHANNEL: Final = Parameter(
    "channel", "path", "The channel's name.", {"type": "string", "pattern": CHANNEL_PATTERN}, required=True
)


def number_of(request: web.Request, name: str, *, default: int, most: int) -> int:
    """A whole number of the query, from 1 on. Raises `bad_request`."""
    text = request.query.get(name, str(default))
    # Python refuses to read a number of thousands of digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= most):
        raise TouchlineError("bad_request", f"{name} is {text[:40]!r}: it is a number from 1 to {most}.")
    return int(text)


def stream_of(request: web.Request) -> Stream:
    """The stream that a path `…/{kind}/{channel}…` names. Raises `bad_request` or `bad_channel`."""
    return parse_stream(f"{request.match_info['kind']}:{request.match_info['channel']}")


def channel_of(request: web.Request) -> str:
    """The channel that a path names. Raises `bad_channel`."""
    channel = request.match_info["channel"]
    check_channel(channel)
    return channel
