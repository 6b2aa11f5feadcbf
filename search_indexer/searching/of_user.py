"""All that a user has posted, the oldest first, a page at a time: what is held does not grow with it."""

from collections.abc import AsyncIterator
from typing import Any, Final

from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.retractions import TakenBack
from history.sources import names
from history.sources.elasticsearch_client import is_away, search_whole, unreachable
from kernel.log.positions import Kind, Stream
from kernel.settings.reading import Settings
from search_indexer.searching.gone import of_user

_PAGE: Final = 100
_SORT: Final = [{"at": "asc"}, {"seq": "asc"}, {"place": "asc"}]


async def events_of(
    client: AsyncElasticsearch, settings: Settings, user: str, taken_back: TakenBack
) -> AsyncIterator[bytes]:
    """Each event's JSON object as it may be shown. Raises `unavailable`."""
    prefix = settings.elasticsearch.index_prefix
    after: list[Any] | None = None
    while True:
        body: dict[str, Any] = {"query": {"bool": {"filter": [of_user(user)]}}, "sort": _SORT, "size": _PAGE}
        if after is not None:
            body["search_after"] = after
        try:
            answer = await search_whole(
                client,
                index=",".join(names.alias(prefix, kind) for kind in Kind),
                ignore_unavailable=True,
                allow_no_indices=True,
                track_total_hits=False,
                source_includes=["stream", "body"],
                **body,
            )
        except (ApiError, TransportError) as error:
            if not is_away(error):
                raise
            raise unreachable(settings, error) from error
        hits = answer["hits"]["hits"]
        for hit in hits:
            source = hit["_source"]
            yield taken_back.shown(Stream.parse(source["stream"]), [source["body"].encode()])[0]
        if len(hits) < _PAGE:
            return
        after = hits[-1]["sort"]
