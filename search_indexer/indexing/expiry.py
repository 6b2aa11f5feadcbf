"""Takes out of the index what is past its channel's retention class, page by page.

The log is the truth, and still has it: whatever reads the log again keeps to the same classes. So a sweep may
stop anywhere, and several indexers may sweep at once: the next one finds what is left.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from elasticsearch import AsyncElasticsearch, TransportError

from control.channels.retention import Retention, with_lanes
from history.sources import names
from history.sources.elasticsearch_client import search_whole
from kernel.clock import Clock
from kernel.log.positions import Kind
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from search_indexer.indexing.bulk import Sleep
from search_indexer.indexing.mappings import BASE

_log = get_logger("touchline.index")
#: Documents of one page: half of what the indexer writes in one request.
_PAGE: Final = 1000
#: Channels of one search: with their lanes a fifth of the terms that Elasticsearch takes.
_CHANNELS: Final = 200
_OK: Final = 300
#: Gone already, or changed since it was found: the next sweep sees.
_LEFT: Final = frozenset({404, 409})


def _of(channels: Sequence[str]) -> dict[str, Any]:
    """Documents of these channels and their lanes; those from before the field `base` by the lanes' names."""
    ways = [{"terms": {"channel": with_lanes(channels)}}, {"terms": {BASE: channels}}]
    return {"bool": {"should": ways, "minimum_should_match": 1}}


class Expiry:
    """Deletes documents of the generation that is searched."""

    def __init__(
        self,
        client: AsyncElasticsearch,
        settings: Settings,
        clock: Clock,
        retention: Retention,
        *,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._clock, self._retention, self._sleep = client, clock, retention, sleep
        self._indices = ",".join(names.alias(settings.elasticsearch.index_prefix, kind) for kind in Kind)

    async def sweep(self) -> int:
        """Delete all that is past its class now; how many documents that were."""
        count = 0
        for cutoff, channels in self._retention.cutoffs(self._clock.now_ms()).items():
            for first in range(0, len(channels), _CHANNELS):
                some = channels[first : first + _CHANNELS]
                count += await self._delete_before(cutoff, some)
        if count:
            _log.info("deleted what is past its retention class", documents=count)
        return count

    async def _delete_before(self, cutoff: int, channels: Sequence[str]) -> int:
        count, after = 0, None
        while True:
            begun = self._clock.monotonic()
            hits = await self._page(cutoff, channels, after)
            if hits:
                await self._delete(hits)
                count, after = count + len(hits), hits[-1]["sort"]
            if len(hits) < _PAGE:
                return count
            # Half of the time is indexing's.
            await self._sleep(self._clock.monotonic() - begun)

    async def _page(
        self, cutoff: int, channels: Sequence[str], after: list[Any] | None
    ) -> list[dict[str, Any]]:
        """The oldest of them: history is missing its beginning then, and nothing in between."""
        found = await search_whole(
            self._client,
            index=self._indices,
            ignore_unavailable=True,
            allow_no_indices=True,
            query={"bool": {"filter": [_of(channels), {"range": {"at": {"lt": cutoff}}}]}},
            sort=[{"at": "asc"}, {"seq": "asc"}, {"place": "asc"}],
            search_after=after,
            size=_PAGE,
            source=False,
            version=True,
            track_total_hits=False,
        )
        hits: list[dict[str, Any]] = found["hits"]["hits"]
        return hits

    async def _delete(self, hits: Sequence[dict[str, Any]]) -> None:
        """In the version that was found: an edit that comes meanwhile wins, until the next sweep."""
        operations = [
            {
                "delete": {
                    "_index": hit["_index"],
                    "_id": hit["_id"],
                    "version": hit["_version"],
                    "version_type": "external_gte",
                }
            }
            for hit in hits
        ]
        answer = await self._client.bulk(operations=operations)
        statuses = [item["delete"]["status"] for item in answer["items"]]
        if failed := [status for status in statuses if status >= _OK and status not in _LEFT]:
            raise TransportError(f"{len(failed)} documents could not be deleted ({failed[0]})")
