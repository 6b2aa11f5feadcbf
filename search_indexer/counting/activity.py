"""When something last happened in channels, as far as the index is."""

from collections.abc import Sequence
from typing import Any

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.sources import names
from history.sources.elasticsearch_client import is_away, search_whole, unreachable
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.indexing.mappings import BASE
from search_indexer.searching.request_body import scope_of
from search_indexer.searching.scope import Seen


class Activity:
    """Asks the live generation."""

    def __init__(self, client: AsyncElasticsearch, settings: Settings) -> None:
        self._client, self._settings = client, settings

    async def of(self, channels: Sequence[str]) -> dict[str, int]:
        """Of these channels when the last event was, in milliseconds; lanes count for theirs."""
        if not channels:
            return {}
        where = [{"terms": {field: list(channels)}} for field in ("channel", BASE)]
        found = await self._asked({"bool": {"should": where, "minimum_should_match": 1}}, len(channels))
        wanted = set(channels)
        return {channel: at for channel, at in found.items() if channel in wanted}

    async def latest(
        self, patterns: Sequence[str], seen: Seen, *, since_ms: int, count: int
    ) -> dict[str, int]:
        """The channels in which something happened since then, of those that may be found, the last first."""
        allowed = scope_of(patterns, seen)
        allowed["filter"].append({"range": {"at": {"gte": since_ms}}})
        return await self._asked({"bool": allowed}, count)

    async def _asked(self, query: dict[str, Any], count: int) -> dict[str, int]:
        last = {"last": {"max": {"field": "at"}}}

        def by(field: str) -> dict[str, Any]:
            return {
                "terms": {"field": field, "size": count, "order": {"last": "desc"}},
                "aggregations": last,
            }

        try:
            answer = await search_whole(
                self._client,
                index=",".join(names.alias(self._settings.elasticsearch.index_prefix, kind) for kind in Kind),
                ignore_unavailable=True,
                allow_no_indices=True,
                query=query,
                size=0,
                track_total_hits=False,
                aggregations={"channel": by("channel"), BASE: by(BASE)},
            )
        except (ApiError, TransportError) as error:
            raise (unreachable(self._settings, error) if is_away(error) else error) from error
        found: dict[str, int] = {}
        for name in ("channel", BASE):
            for bucket in answer.get("aggregations", {}).get(name, {}).get("buckets", []):
                at = int(bucket["last"]["value"])
                found[bucket["key"]] = max(at, found.get(bucket["key"], 0))
        lanes = {channel for channel in found if "~" in channel}
        ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
        return {channel: at for channel, at in ordered if channel not in lanes}
