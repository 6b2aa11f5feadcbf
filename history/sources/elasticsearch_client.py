"""The Elasticsearch client, made from the settings, with a quick JSON codec."""

import asyncio
from typing import Any, Final

import msgspec
from elastic_transport import ObjectApiResponse
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError, TransportError
from elasticsearch.serializer import JsonSerializer

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

_JSON: Final = "application/vnd.elasticsearch+json"
_UNAVAILABLE: Final = 503
_WAITS_S: Final = (0.05, 0.1, 0.2, 0.4)
#: Statuses that say "not now": overload, a shard without a primary, a node that starts.
BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})


class _Json(JsonSerializer):
    """As the client's own, several times as quick."""

    mimetype = _JSON

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) else msgspec.json.encode(data)

    def loads(self, data: bytes) -> Any:
        return msgspec.json.decode(data)


def elastic_client(
    settings: Settings, *, timeout_s: float = 30.0, connections: int = 8
) -> AsyncElasticsearch:
    """A client that does not retry by itself: whoever calls decides whether waiting makes sense."""
    elasticsearch = settings.elasticsearch
    options: dict[str, Any] = {}
    if elasticsearch.api_key:
        options["api_key"] = elasticsearch.api_key
    if elasticsearch.ca_certs:
        options["ca_certs"] = elasticsearch.ca_certs
    return AsyncElasticsearch(
        elasticsearch.url,
        serializers={_JSON: _Json()},
        request_timeout=timeout_s,
        max_retries=0,
        connections_per_node=connections,
        **options,
    )


async def search_whole(client: AsyncElasticsearch, **body: Any) -> dict[str, Any]:
    """The answer of a search in which every shard took part.

    The first event of a day makes a new index; until its shard has started, searches that include it
    are answered 503. That takes a moment, and is waited for.
    """
    for wait_s in _WAITS_S:
        try:
            answer = await client.search(allow_partial_search_results=False, **body)
            break
        except ApiError as error:
            if error.meta.status != _UNAVAILABLE:
                raise
            await asyncio.sleep(wait_s)
    else:
        answer = await client.search(allow_partial_search_results=False, **body)
    found: dict[str, Any] = answer.body
    return found


def documents_of(answer: ObjectApiResponse[Any]) -> list[dict[str, Any]]:
    """What an mget has found. Raises where a document's shard is not there right now.

    That is told document by document, in an answer of status 200: "not found" would be wrong.
    """
    for found in answer["docs"]:
        error = found.get("error")
        if error is not None and error["type"] != "index_not_found_exception":
            raise TransportError(f"a document cannot be read: {error['type']}")
    return [found for found in answer["docs"] if found.get("found")]


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ApiError):
        return error.meta.status in BUSY
    return isinstance(error, TransportError)


def is_away(error: Exception) -> bool:
    """Whether what was read is not there right now: also an index that was taken away while it was read."""
    return is_passing(error) or isinstance(error, NotFoundError)


def unreachable(settings: Settings, error: Exception) -> TouchlineError:
    """The sentence for an Elasticsearch that does not answer, or not now."""
    what = f"answers {error.meta.status}" if isinstance(error, ApiError) else "does not answer"
    return TouchlineError(
        "unavailable",
        f"Elasticsearch {what} at {settings.elasticsearch.url}.",
        hint="Try again in a moment.",
    )
