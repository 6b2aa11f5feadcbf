"""Hits as they are shown: the event's JSON object, and a piece of its text with what was found in it."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from kernel.log.positions import Kind
from search_indexer.indexing import documents
from search_indexer.indexing.documents import Document, broadcast_text
from search_indexer.query.highlight import highlight, share_of
from search_indexer.query.syntax import Query
from search_indexer.text.by_channel import ChannelFoldings
from search_indexer.text.folding import Folding

#: Hits of so many characters, all of them ASCII, are shown sooner than a thread has begun.
_QUICKLY: Final = 10_000


class Hit(msgspec.Struct):
    """What was found, and how well it fits."""

    event: msgspec.Raw
    score: float | None
    highlight: str


async def shown(query: Query, hits: Sequence[dict[str, Any]], foldings: ChannelFoldings) -> list[Hit]:
    """In a thread, where there is much of it: what it takes grows with the texts that were found."""
    theirs = [foldings.of(hit["_source"]["channel"], hit["_source"]["at"]) for hit in hits]
    texts = [hit["_source"]["body"] for hit in hits] + [hit["_source"].get("edited") or "" for hit in hits]
    if sum(map(len, texts)) <= _QUICKLY and all(map(str.isascii, texts)):
        return _shown(query, hits, theirs)
    return await asyncio.to_thread(_shown, query, hits, theirs)


def _shown(query: Query, hits: Sequence[dict[str, Any]], foldings: Sequence[Folding]) -> list[Hit]:
    share = share_of(len(hits))
    made = []
    for hit, folding in zip(hits, foldings, strict=True):
        document = msgspec.convert(hit["_source"], Document)
        marked = highlight(query, _text(document), folding, share)
        made.append(Hit(msgspec.Raw(documents.shown(document)), hit.get("_score"), marked))
    return made


def _text(document: Document) -> str:
    """The text that was searched, as its author wrote it."""
    if document.edited is not None:
        return document.edited
    event = msgspec.json.decode(document.body)
    if document.kind == Kind.CHAT:
        return str(event["data"].get("text", ""))
    return broadcast_text(event["type"], event["data"]) if document.kind == Kind.BROADCAST else ""
