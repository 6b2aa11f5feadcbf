"""Search and exports, for programs, by way of a gateway.

found = await Search(user="ana").find("penalty -friendly", channel=["wc26-final"], facet=["sender"])
async for event in Search().export("goal", since="yesterday"): ...
async for event in Search().history("chat:wc26-final"): ...
"""

import asyncio
import csv
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPException
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from consumers.client.requests.gateway import Asking
from kernel.errors import TouchlineError
from kernel.problem_json import problem_of

_AT_ONCE: Final = 1 << 16
#: How often in a row an export is gone on with that breaks off, and how long is waited for the first.
_TRIES: Final = 6
_WAIT_S: Final = 0.2
#: Rows that are handed over at once.
_ROWS: Final = 500
T = TypeVar("T")
Given = Sequence[tuple[str, str]]


class _Line(msgspec.Struct):
    seq: int = 0
    cursor: str = ""


_line: Final = msgspec.json.Decoder(_Line).decode


class Search(Asking):
    """What has been said, by one user. What is refused is raised as TouchlineError."""

    async def find(self, q: str = "", **parameters: Any) -> dict[str, Any]:
        """A page of hits, as `GET /v1/search` has it: `hits`, `total`, `next`; with `facet` counts, too.

        Lists are given as several. Raises `bad_request`, `unauthorized`, `rate_limited` or `unavailable`.
        """
        return await self._ask("GET", f"/v1/search?{urlencode(given_of(q, parameters))}")

    async def suggest(self, text: str, **parameters: Any) -> dict[str, Any]:
        """What the last word of a query may go on as: `suggestions`, in place of all from `start` on."""
        return await self._ask("GET", f"/v1/search/suggest?{urlencode(given_of(text, parameters))}")

    async def channels(
        self, *, sort: str = "name", prefix: str = "", live: bool = False
    ) -> AsyncIterator[dict[str, Any]]:
        """The channels that the user may read: `channel`, `viewers`, and when something `last` happened."""
        cursor: str | None = None
        while True:
            given = {"sort": sort, "prefix": prefix or None, "live": live, "limit": 200, "cursor": cursor}
            page = await self._ask("GET", f"/v1/channels?{urlencode(given_of(None, given))}")
            for row in page["channels"]:
                yield row
            cursor = page["next"]
            if cursor is None:
                return

    def export(self, q: str = "", **parameters: Any) -> AsyncIterator[dict[str, Any]]:
        """All hits, the oldest first where `sort` says nothing else; what breaks off is gone on with."""
        return _later(lambda: self.lines("/v1/search", given_of(q, parameters)))

    def history(
        self, stream: str, *, after: int = 0, before: int | None = None, limit: int | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """All events of a stream behind a `seq`, in order; what breaks off is gone on with."""
        given = {"after": after, "before": before, "limit": limit}
        return _later(lambda: self.lines(history_path(stream), given_of(None, given)))

    async def page(self, stream: str, **range_: int | None) -> dict[str, Any]:
        """A page of a stream's past, as `GET …/events` has it: `before`, `after`, `around`, `limit`."""
        return await self._ask("GET", f"{history_path(stream)}?{urlencode(given_of(None, range_))}")

    # ── blocking, for commands ───────────────────────────────────────────────────────────────────────

    def lines(self, path: str, given: Given) -> Iterator[bytes]:
        """An export's lines, each an event's JSON. Blocks."""

        def place(line: bytes) -> _Line:
            return _line(line)

        for line in self._resumed(path, given, "ndjson", lambda raw: raw, place):
            yield line.rstrip(b"\n")

    def table(self, path: str, given: Given) -> Iterator[list[str]]:
        """An export's rows, the names of the columns first. Blocks."""
        columns: dict[str, int] = {}

        def rows(raw: Iterator[bytes]) -> Iterator[list[str]]:
            read = csv.reader(line.decode() for line in raw)
            names = next(read)
            if not columns:
                columns.update({name: number for number, name in enumerate(names)})
                yield names
            yield from read

        def place(row: list[str]) -> _Line:
            seq = row[columns["seq"]]
            return _Line(int(seq) if seq.isdigit() else 0, row[columns["cursor"]])

        return self._resumed(path, given, "csv", rows, place)

    def _resumed(
        self,
        path: str,
        given: Given,
        form: str,
        read: Callable[[Iterator[bytes]], Iterator[T]],
        place: Callable[[T], _Line],
    ) -> Iterator[T]:
        """Rows; where the connection breaks, on behind the last one that has come."""
        rest, left, failed, begun = dict(_single(given)), _limit_of(given), 0, False
        several = [(name, value) for name, value in given if name not in rest]
        while True:
            last: T | None = None
            try:
                for row in read(self._stream(path, [*several, *rest.items(), ("format", form)])):
                    yield row
                    last, failed, begun = row, 0, True
                    left = None if left is None else left - 1
            except (OSError, HTTPException) as error:
                failed += 1
                if failed >= _TRIES or not begun:
                    raise self._away(error) from error
                if last is not None and (at := place(last)).seq:
                    rest |= {"cursor": at.cursor} if at.cursor else {"after": str(at.seq)}
                    if left is not None:
                        rest["limit"] = str(left)
                if left == 0:
                    return
                time.sleep(_WAIT_S * 2**failed)
            else:
                return

    def _stream(self, path: str, given: Given) -> Iterator[bytes]:
        """The lines of an answer. Raises what is refused, OSError or HTTPException where it breaks off."""
        with closing(self._connection()) as connection:
            connection.request("GET", f"{self._path}{path}?{urlencode(given)}", headers=self._headers)
            response = connection.getresponse()
            if response.status >= 300:
                raise problem_of(response.read())
            rest = b""
            while part := response.read1(_AT_ONCE):
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    yield line + b"\n"


def history_path(stream: str) -> str:
    """Where a stream's past is. Raises `bad_request` for what is no stream's name."""
    kind, colon, channel = stream.partition(":")
    if not colon:
        raise TouchlineError("bad_request", f"{stream[:150]!r} is not a stream: write <kind>:<channel>.")
    return f"/v1/streams/{quote(kind, safe='')}/{quote(channel, safe='')}/events"


def given_of(q: str | None, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Parameters of a request: what is None is left out, a list is given as several, a flag as 1."""
    given = [] if q is None else [("q", q)]
    for name, value in parameters.items():
        values = value if isinstance(value, list | tuple) else (value,)
        given += [
            (name, "1" if one is True else str(one)) for one in values if one is not None and one is not False
        ]
    return given


def _single(given: Given) -> Iterator[tuple[str, str]]:
    names = [name for name, _ in given]
    return ((name, value) for name, value in given if names.count(name) == 1)


def _limit_of(given: Given) -> int | None:
    said = dict(given).get("limit", "")
    return int(said) if said.isdigit() else None


async def _later(begin: Callable[[], Iterable[bytes]]) -> AsyncIterator[dict[str, Any]]:
    """What a blocking export yields, read in a thread some rows at a time."""
    rows = iter(await asyncio.to_thread(begin))

    def some() -> list[dict[str, Any]]:
        return [msgspec.json.decode(line) for _, line in zip(range(_ROWS), rows, strict=False)]

    while part := await asyncio.to_thread(some):
        for row in part:
            yield row
