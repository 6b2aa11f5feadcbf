"""Reading request bodies: unpacked with bounds, whole or line by line, never more in memory than a part.

What somebody sends small may stand for much: after each piece others have their turn.
"""

import asyncio
import itertools
import json
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol, TypeVar

import msgspec
import zstandard
from aiohttp import web

from gateway.http.turns import turn
from kernel.errors import TouchlineError
from schemas.codec import Undecodable

#: Unpacked bytes at a time.
_PIECE: Final = 64 * 1024
#: Packed bytes given to zstd at once: four bytes can stand for 128 KiB.
_ZSTD_SLICE: Final = 64
_ZSTD_WINDOW: Final = 8 * 1024 * 1024
#: JSON lines shrink to a tenth, very alike ones to a hundredth; what grows more is a bomb. (No deflate grows
#: a thousandfold, so a limit there would bind nothing.)
_MAX_GROWTH: Final = 200
_GROWTH_FREE: Final = 4 * 1024 * 1024
#: Lines handed on at once, and events of an array that one body may hold.
_LINES_A_TURN: Final = 512
MAX_ITEMS: Final = 100_000

JSON: Final = "application/json"
NDJSON: Final = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-seq")


T = TypeVar("T")
#: For how long nothing may come of a body.
BODY_TIMEOUT_S: Final = web.AppKey("body_timeout_s", float)
_BODY_TIMEOUT_S: Final = 60.0
_item: Final = json.JSONDecoder().raw_decode
_SPACE: Final = re.compile(r"[ \t\r\n]*").match


class _Unpacking(Protocol):
    def pieces(self, packed: bytes) -> Iterator[bytes]:
        """What these bytes add, in pieces of bounded size. Raises zlib.error or zstandard.ZstdError."""

    @property
    def finished(self) -> bool:
        """Whether the packed data came to its end."""


class _Plain:
    finished = True

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        yield packed


class _Gzip:
    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._begun = False

    @property
    def finished(self) -> bool:
        return self._begun and self._member.eof

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        while packed:
            if self._member.eof:  # several members one after another are one stream
                self._member = zlib.decompressobj(wbits=31)
            self._begun = True
            yield self._member.decompress(packed, _PIECE)
            packed = self._member.unconsumed_tail or self._member.unused_data


class _Zstd:
    def __init__(self) -> None:
        self._unpacker = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._frame = self._unpacker.decompressobj()
        self._begun = False

    @property
    def finished(self) -> bool:
        return self._begun and self._frame.eof

    def pieces(self, packed: bytes) -> Iterator[bytes]:
        for start in range(0, len(packed), _ZSTD_SLICE):
            rest = packed[start : start + _ZSTD_SLICE]
            while rest:
                if self._frame.eof:
                    self._frame = self._unpacker.decompressobj()
                self._begun = True
                yield self._frame.decompress(rest)
                rest = self._frame.unused_data if self._frame.eof else b""


def content_type_of(request: web.Request) -> str:
    """The body's type; JSON where none is given. Raises `unsupported_media_type`.

    A page has to name it: one of another origin cannot post these without being asked about first.
    """
    if "Content-Type" not in request.headers and "Origin" not in request.headers:
        return JSON
    given = request.content_type
    if given in (JSON, *NDJSON):
        return given
    raise TouchlineError(
        "unsupported_media_type",
        f"A body of {given[:80]} is not read here.",
        hint=f"Send {JSON} or {NDJSON[0]}.",
    )


async def pieces_of(request: web.Request) -> AsyncIterator[bytes]:
    """The body, unpacked, in pieces. Raises `unsupported_media_type`, `too_large` or `bad_request`."""
    patience_s = request.app.get(BODY_TIMEOUT_S, _BODY_TIMEOUT_S)
    unpacking = unpacking_of(request.headers.get("Content-Encoding", "identity"))
    packed_bytes, unpacked_bytes = 0, 0
    try:
        while packed := await next_of(request, patience_s):
            packed_bytes += len(packed)
            for piece in unpacking.pieces(packed):
                unpacked_bytes += len(piece)
                if unpacked_bytes > _GROWTH_FREE + _MAX_GROWTH * packed_bytes:
                    raise TouchlineError("too_large", "The body unpacks to far more than it should.")
                if piece:
                    yield piece
                    await asyncio.sleep(0)  # the next one may be here already
    except (zlib.error, zstandard.ZstdError) as error:
        raise TouchlineError("bad_request", f"The body cannot be unpacked: {error}.") from None
    if not unpacking.finished:
        raise TouchlineError("bad_request", "The packed body is cut short.")


async def next_of(request: web.Request, patience_s: float) -> bytes:
    """What has come of the body since; empty at its end."""
    try:
        async with asyncio.timeout(patience_s):
            return await request.content.readany()
    except TimeoutError:
        raise TouchlineError(
            "bad_request", f"Nothing has come of the body for {patience_s:.0f} s: it is taken for broken off."
        ) from None


async def whole(request: web.Request, limit: int) -> bytes:
    """The body, unpacked. Raises `too_large` when it is longer than `limit`."""
    body = bytearray()
    async for piece in pieces_of(request):
        body += piece
        if len(body) > limit:
            raise TouchlineError(
                "too_large",
                f"The body has more than {limit} bytes.",
                hint="Send NDJSON: it may be of any length.",
            )
    return bytes(body)


async def json_object(request: web.Request, limit: int, kind: type[T]) -> T:
    """The body as a JSON object of this type. Raises `unsupported_media_type`, `too_large` or `bad_request`.

    The type has to be named: a page of another origin cannot send it without being asked about first.
    """
    if "Content-Type" not in request.headers or request.content_type != JSON:
        raise TouchlineError("unsupported_media_type", f"Send {JSON}.")
    try:
        return msgspec.json.decode(await whole(request, limit), type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise TouchlineError("bad_request", f"The body is not as it should be: {error}.") from None


async def lines_of(request: web.Request, limit: int, most: int) -> AsyncIterator[list[bytes]]:
    """The body's lines as they come, without those that are blank, several at a time.

    Of a line longer than `limit` only the first `limit + 1` bytes are kept: whoever checks it sees that it is
    too long. Raises `too_large` at line `most`; blank ones count, for they are read too.
    """
    rest, number = b"", 0
    async for piece in pieces_of(request):
        async with turn(request):
            lines = piece.split(b"\n")
            if len(rest) <= limit:  # of what is too long already no more is kept, however it comes
                lines[0] = (rest + lines[0])[: limit + 1]
            else:
                lines[0] = rest
            rest = lines.pop()
            number += len(lines)
            if number > most:
                raise TouchlineError(
                    "too_large", f"The body has more than {most} lines.", hint="Send it as several requests."
                )
            found = [line for line in lines if line and not line.isspace()]
        for start in range(0, len(found), _LINES_A_TURN):
            yield found[start : start + _LINES_A_TURN]
    if rest and not rest.isspace():
        yield [rest]


def items_of(body: bytes, limit: int) -> Iterator[bytes]:
    """The items of a JSON array one by one, so that who takes them can let others run in between.

    A parser that reads the whole array at once stands for as long as there are items: `[1,1,…` of 8 MB has
    four million. Raises `too_large` or Undecodable.
    """
    text = _text_of(body)
    at = _after(text, 0, "[")
    at = _past_space(text, at)
    if text[at : at + 1] == "]":
        at += 1
    else:
        window = base = 0
        part = ""
        for number in itertools.count(1):
            if number > MAX_ITEMS:
                raise TouchlineError(
                    "too_large", f"The array has more than {MAX_ITEMS} events.", hint="Send NDJSON."
                )
            if at - base >= window:  # a part of the text, so that no item can be longer than is looked at
                base, window = at, limit
                part = text[base : base + 2 * limit]
            try:
                _, end = _item(part, at - base)
            except (ValueError, RecursionError) as error:
                if base + len(part) < len(text) and not isinstance(error, RecursionError):
                    raise TouchlineError(
                        "too_large", f"Event {number} of the array is no JSON within {limit} bytes."
                    ) from None
                raise _no_array(error) from None
            yield text[at : base + end].encode()
            at = _past_space(text, base + end)
            if text[at : at + 1] == "]":
                at += 1
                break
            at = _past_space(text, _after(text, at, ","))
    if _past_space(text, at) != len(text):
        raise _no_array("something follows it")


def _past_space(text: str, at: int) -> int:
    found = _SPACE(text, at)
    return at if found is None else found.end()


def _text_of(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _no_array(error) from None


def _after(text: str, at: int, sign: str) -> int:
    at = _past_space(text, at)
    if text[at : at + 1] != sign:
        raise _no_array(f"a {sign} is expected at character {at + 1}")
    return at + 1


def _no_array(why: object) -> Undecodable:
    return Undecodable("undecodable", f"The body is not a JSON array: {why}.")


def unpacking_of(encoding: str) -> _Unpacking:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return _Plain()
    if encoding in ("gzip", "x-gzip"):
        return _Gzip()
    if encoding == "zstd":
        return _Zstd()
    raise TouchlineError(
        "unsupported_media_type",
        f"A body encoded with {encoding[:40]} is not read here.",
        hint="Use gzip or zstd.",
    )
