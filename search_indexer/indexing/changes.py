"""Edits and retractions: found by the target's id alone, applied to its document by a pure function."""

from collections.abc import Callable, Sequence

import msgspec
from elasticsearch import AsyncElasticsearch

from history.sources.elasticsearch_client import documents_of
from history.sources.names import day_of, index_name
from kernel.log.positions import Kind, time_of_id
from search_indexer.indexing.documents import Change, Document, changed, source_of, with_meaning
from search_indexer.text.embeddings import Meanings
from search_indexer.text.folding import Folding


class Changes:
    """Applies changes to documents that are in the index."""

    def __init__(
        self,
        client: AsyncElasticsearch,
        prefix: str,
        folding_of: Callable[[str, int], Folding],
        meanings: Meanings | None = None,
    ) -> None:
        """`folding_of` what was said in a channel at a time."""
        self._client, self._prefix, self._folding_of, self._meanings = client, prefix, folding_of, meanings

    async def lines(self, generation: int, changes: Sequence[Change]) -> list[bytes]:
        """Bulk lines with the documents as the changes leave them. Targets that are not there have none.

        Read by id, so what was written a moment ago counts although no search finds it yet.
        """
        wanted: dict[str, list[Change]] = {}
        for change in changes:
            if change.target.isascii() and change.target.isdigit() and len(change.target) <= 40:
                wanted.setdefault(change.target, []).append(change)
        places = []
        for target in wanted:
            try:
                day = day_of(time_of_id(target))
            except (OverflowError, ValueError, OSError):
                continue  # a number that no event's id is
            places.append({"_index": index_name(self._prefix, Kind.CHAT, generation, day), "_id": target})
        if not places:
            return []
        answer = await self._client.mget(docs=places)
        lines: list[bytes] = []
        for found in documents_of(answer):
            before = msgspec.convert(found["_source"], Document)
            after, folding = before, self._folding_of(before.channel, before.at)
            for change in wanted[found["_id"]]:
                after = changed(after, change, folding)
            if after != before:
                after = with_meaning(after, after.edited or "", self._meanings)
                lines.append(source_of(found["_index"], found["_id"], after))
        return lines
