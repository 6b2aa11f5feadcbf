"""Bulk writes that end well or are tried again, with back-off while Elasticsearch is busy or gone."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.sources.elasticsearch_client import BUSY, is_passing
from kernel.process.health import Health
from kernel.process.logs import get_logger

_log = get_logger("touchline.index")
_FIRST_WAIT_S: Final = 0.2
_LONGEST_WAIT_S: Final = 10.0
_CONFLICT: Final = 409
_OK: Final = 300
#: Not the document's fault, whatever the status: somebody has to do something, and then it is taken.
_NOT_ITS_FAULT: Final = frozenset(
    {
        "cluster_block_exception",  # the disk is full, or an index was made read-only
        "index_closed_exception",
        "index_not_found_exception",  # indices are not made by themselves there
        "security_exception",
        "validation_exception",  # as many shards as the cluster may have
    }
)

Sleep = Callable[[float], Awaitable[None]]


class Refused(NamedTuple):
    """A document that Elasticsearch will not take, however often it is asked."""

    position: int
    reason: str


class Sorted(NamedTuple):
    """The items of a bulk's answer that were not written."""

    refused: list[Refused]
    #: Positions to send again: the server was busy, or cannot take anything right now.
    again: list[int]
    #: Why, of the first of them.
    why: str = ""


def sort_out(items: Sequence[dict[str, Any]]) -> Sorted:
    """What became of each line of a bulk request.

    A version conflict is success: the document is there already, in this version or a later one.
    """
    refused: list[Refused] = []
    again: list[int] = []
    why = ""
    for position, item in enumerate(items):
        answer = item["index"]
        status = answer["status"]
        if status < _OK or status == _CONFLICT:
            continue
        error = answer.get("error", {})
        if status in BUSY or error.get("type") in _NOT_ITS_FAULT:
            again.append(position)
            why = why or f"{status} {error.get('type')}: {error.get('reason')}"[:200]
        else:
            refused.append(Refused(position, f"{error.get('type')}: {error.get('reason')}"[:500]))
    return Sorted(refused, again, why)


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
                    why = answer
                else:
                    found = sort_out(answer)
                    refused += [Refused(waiting[r.position], r.reason) for r in found.refused]
                    waiting, why = [waiting[position] for position in found.again], found.why
                if not waiting:
                    self._health.ok("elasticsearch")
                    break
                self._health.fail("elasticsearch", why)
                _log.warning(
                    "elasticsearch takes nothing now: the log waits",
                    documents=len(waiting),
                    reason=why,
                    retry_in_s=round(wait, 1),
                )
                # Spread: several indexers must not come back at the same moment.
                await self._sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - not for secrets
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
            return str(error)[:200] or type(error).__name__
        found = answer.body
        return found["items"] if found["errors"] else ()
