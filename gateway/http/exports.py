"""Exports: events as NDJSON or CSV, streamed page by page. What is held does not grow with how many they are.

A page is on its way while the one before it is written, so two are held; whoever takes slowly is asked for no
more. What breaks off goes on behind the last row that arrived: by its cursor, or its `seq`.
"""

import asyncio
import csv
import io
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal, NamedTuple

import msgspec
from aiohttp import HttpVersion11, web

from gateway.context import Context
from gateway.http.operations import Parameter
from kernel.errors import TouchlineError
from kernel.fairness.budgets import RateLimitedError

Form = Literal["ndjson", "csv"]
CONTENT_TYPES: Final[dict[Form, str]] = {"ndjson": "application/x-ndjson", "csv": "text/csv"}
#: Rows that are read at once.
PAGE: Final = 1000
MAX_ROWS: Final = 100_000_000
COLUMNS: Final = ("server_ts", "stream", "seq", "id", "type", "sender", "text", "data", "cursor")
#: A cell that begins so is a formula to programs that calculate; with this before it, it is a text.
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")
_QUOTE: Final = "'"
FORMAT: Final = Parameter(
    "format",
    "query",
    "All of it as a stream, a line an event: `limit` may be anything then. What breaks off goes on behind the"
    " last line, by its `cursor` (of history: its `seq`).",
    {"type": "string", "enum": list(CONTENT_TYPES)},
)


class Wanted(NamedTuple):
    """What somebody wants exported: in which form, at most so many rows, and whose budgets it counts for."""

    form: Form
    most: int
    user: str | None


class Batch(NamedTuple):
    """Rows of an export: each event's JSON object and its cursor (empty: it has none), and what reads on."""

    events: Sequence[bytes]
    cursors: Sequence[str]
    #: None: there are no more.
    following: Callable[[int], Awaitable["Batch"]] | None


class _Row(msgspec.Struct):
    server_ts: str = ""
    stream: str = ""
    seq: int = 0
    id: str = ""
    type: str = ""
    sender: str | None = None
    data: dict[str, Any] = {}


_row: Final = msgspec.json.Decoder(_Row).decode


def format_of(request: web.Request) -> Form | None:
    """As what somebody wants all of it; None: they want a page. Raises `bad_request`."""
    given = request.query.get("format")
    if given is None:
        accepted = request.headers.get("Accept", "")
        return next((form for form, type_ in CONTENT_TYPES.items() if type_ in accepted), None)
    for form in CONTENT_TYPES:
        if given == form:
            return form
    raise TouchlineError("bad_request", f"format is {given[:40]!r}: it is ndjson or csv.")


def rows_of(text: str | None) -> int:
    """How many rows are wanted at most. Raises `bad_request`."""
    if text is None:
        return MAX_ROWS
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_ROWS):
        raise TouchlineError("bad_request", f"limit is {text[:40]!r}: it is a number from 1 to {MAX_ROWS:,}.")
    return int(text)


async def export(
    context: Context,
    request: web.Request,
    wanted: Wanted,
    read: Callable[[int], Awaitable[Batch]],
) -> web.StreamResponse:
    """Write what `read` reads (so many rows), and what follows. An error before the first row is answered as
    ever; a later one breaks the connection off, so that nobody takes a part for all."""
    form = wanted.form
    async with context.pages.slot(wanted.user):
        batch = await read(min(wanted.most, PAGE))
        response = web.StreamResponse()
        response.content_type, response.charset = CONTENT_TYPES[form], "utf-8"
        if request.version >= HttpVersion11:  # an older client cannot tell a part from all of it
            response.enable_chunked_encoding()
        await response.prepare(request)
        if form == "csv":
            await response.write(_csv([COLUMNS]))
        try:
            await _write(context, response, wanted, batch)
        except TouchlineError:
            if request.transport is not None:
                request.transport.abort()
            return response
        await response.write_eof()
    return response


async def _write(context: Context, response: web.StreamResponse, wanted: Wanted, batch: Batch) -> None:
    written = 0
    while True:
        left = wanted.most - written - len(batch.events)
        ahead: asyncio.Task[Batch] | None = None
        if batch.following is not None and left > 0:
            ahead = asyncio.create_task(_paced(context, wanted.user, batch.following, min(left, PAGE)))
        try:
            body = await asyncio.to_thread(rendered, wanted.form, batch)
            if body:
                await response.write(body)
            context.budgets.count_read(wanted.user, len(body))
            written += len(batch.events)
            if ahead is None:
                return
            batch = await ahead
        finally:
            if ahead is not None and not ahead.done():
                ahead.cancel()


async def _paced(
    context: Context, user: str | None, read: Callable[[int], Awaitable[Batch]], rows: int
) -> Batch:
    """A page as soon as its user's budget has it: an export takes as long as it may, and is not refused."""
    while True:
        try:
            context.budgets.take_read(user)
        except RateLimitedError as error:
            await asyncio.sleep(error.retry_after_s)
        else:
            return await read(rows)


def rendered(form: Form, batch: Batch) -> bytes:
    """The lines of a page. In a thread: a page of large events takes a while."""
    cursors = batch.cursors or [""] * len(batch.events)
    if form == "csv":
        return _csv(_cells(event, cursor) for event, cursor in zip(batch.events, cursors, strict=True))
    lines = [
        b'%b,"cursor":"%b"}\n' % (event[:-1], cursor.encode()) if cursor else event + b"\n"
        for event, cursor in zip(batch.events, cursors, strict=True)
    ]
    return b"".join(lines)


def _cells(event: bytes, cursor: str) -> tuple[object, ...]:
    row = _row(event)
    text = row.data.get("text")
    return (
        *(row.server_ts, row.stream, row.seq, row.id, _plain(row.type), _plain(row.sender or "")),
        *(_plain(text) if isinstance(text, str) else "", msgspec.json.encode(row.data).decode(), cursor),
    )


def _plain(text: str) -> str:
    return _QUOTE + text if text.startswith(_FORMULAS) else text


def _csv(rows: Any) -> bytes:
    made = io.StringIO()
    csv.writer(made).writerows(rows)
    return made.getvalue().encode("utf-8", "surrogatepass")
