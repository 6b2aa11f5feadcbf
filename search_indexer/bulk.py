"""Bulk writes that end well or are tried again, with back-off while Elasticsearch is busy or gone."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.elastic import BUSY, is_passing
from kernel.health import Health
from kernel.logs import get_logger

_log = get_logger("touchline.index")
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 10.0
_CONFLICT: Final = 409
_OK: Final = 300

Sleep = Callable[[float], Awaitable[None]]


class Refused(NamedTuple):
    """A document that Elasticsearch will not take, however often it is asked."""

    position: int
    reason: str


class Sorted(NamedTuple):
    """The items of a bulk's answer that were not written."""

    refused: list[Refused]
    #: Positions to send again: the server was busy.
    again: list[int]


def sort_out(items: Sequence[dict[str, Any]]) -> Sorted:
    """What became of each line of a bulk request.

    A version conflict is success: the document is there already, in this version or a later one.
    """
    refused: list[Refused] = []
    again: list[int] = []
    for position, item in enumerate(items):
        answer = item["index"]
        status = answer["status"]
        if status < _OK or status == _CONFLICT:
            continue
        if status in BUSY:
            again.append(position)
        else:
            error = answer.get("error", {})
            refused.append(Refused(position, f"{error.get('type')}: {error.get('reason')}"[:500]))
    return Sorted(refused, again)


def parts(lines: Sequence[bytes], most: int) -> Iterator[list[int]]:
    """Positions of the lines, in requests of at most `most` bytes each (a larger line goes alone)."""
    part: list[int] = []
    size = 0
    for position, line in enumerate(lines):
        if part and size + len(line) > most:
            yield part
            part, size = [], 0
        part.append(position)
        size += len(line)
    if part:
        yield part


class BulkWriter:
    """Writes documents; returns when each of them is written or refused for good."""

    def __init__(
        self, client: AsyncElasticsearch, health: Health, *, batch_bytes: int, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._client, self._health, self._bytes, self._sleep = client, health, batch_bytes, sleep

    async def write(self, lines: Sequence[bytes]) -> list[Refused]:
        """Write all lines (each an action and its document); the refused ones by their position."""
        refused: list[Refused] = []
        for part in parts(lines, self._bytes):
            waiting, wait = part, _FIRST_WAIT_S
            while waiting:
                answer = await self._try(b"".join([lines[position] for position in waiting]))
                if isinstance(answer, str):
                    self._health.fail("elasticsearch", answer)
                    # Spread: several indexers must not come back at the same moment.
                    await self._sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - not for secrets
                    wait = min(wait * 2, _LONGEST_WAIT_S)
                    continue
                self._health.ok("elasticsearch")
                sorted_out = sort_out(answer)
                refused += [Refused(waiting[r.position], r.reason) for r in sorted_out.refused]
                waiting = [waiting[position] for position in sorted_out.again]
                if waiting:
                    _log.warning("elasticsearch is busy", documents=len(waiting), retry_in_s=wait)
                    await self._sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311
                    wait = min(wait * 2, _LONGEST_WAIT_S)
        return refused

    async def _try(self, body: bytes) -> Sequence[dict[str, Any]] | str:
        """The items of the answer, or why there is none."""
        try:
            answer = await self._client.perform_request(
                "POST",
                "/_bulk?filter_path=errors,items.*.status,items.*.error.type,items.*.error.reason",
                headers={
                    "content-type": "application/vnd.elasticsearch+x-ndjson; compatible-with=9",
                    "accept": "application/vnd.elasticsearch+json; compatible-with=9",
                },
                body=body,
            )
        except (ApiError, TransportError) as error:
            if not is_passing(error):
                raise
            _log.warning("elasticsearch does not answer, the log waits", reason=str(error)[:200])
            return str(error)[:200]
        found = answer.body
        return found["items"] if found["errors"] else ()
