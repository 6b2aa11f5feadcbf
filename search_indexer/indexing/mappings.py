"""How Elasticsearch keeps events: the index templates, explicit to the last field, the same on every server.

Only what the embedded server has is used: no language analyzers, no scripts, no x-pack field types.
"""

from typing import Any, Final

from elasticsearch import AsyncElasticsearch

from history.sources import names
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.text.embeddings import DIMENSIONS, model_name
from search_indexer.text.languages import languages_of
from search_indexer.text.morphemes import analysers_of

#: Fields that indices made before they were thought of lack.
BASE, NUMBER, REPLY, MARKS = "base", "n", "reply_to", "marks"
#: What a text is about, where that is set: a vector of signed bytes (search_indexer/text/embeddings.py).
MEANING: Final = "meaning"
_KEYWORD: Final = {"type": "keyword", "ignore_above": 512}
#: Kept in the document, not indexed.
_KEPT: Final = {"type": "keyword", "index": False, "doc_values": False}
#: Times are milliseconds on the log, so a `date` holds them exactly; nanoseconds would cost and add nothing.
_FIELDS: Final[dict[str, Any]] = {
    "stream": _KEYWORD,
    "kind": _KEYWORD,
    "channel": _KEYWORD,
    # Of a lane, its channel: what is set for that one holds here, whatever the lane's number.
    BASE: _KEYWORD,
    "type": _KEYWORD,
    "sender": _KEYWORD,
    "seq": {"type": "long"},
    # Dense in a numbered stream: what lies between two of them is counted by taking one from the other.
    NUMBER: {"type": "long"},
    # What it answers: replies are found, and counted, by it.
    REPLY: _KEYWORD,
    # What its text has, what became of it, and whom it names (search_indexer/text/features.py).
    MARKS: _KEYWORD,
    "at": {"type": "date", "format": "epoch_millis"},
    # Partition and kind in one number: with `at` and `seq` it makes the order of events total.
    "place": {"type": "integer", "index": False},
    # Ready-made stems: what a word finds, with positions for phrases. Scores do not depend on what else is in
    # the index (see docs/decisions/0051), so neither lengths nor frequencies are kept.
    "text": {"type": "text", "analyzer": "whitespace", "norms": False, "similarity": "boolean"},
    # Ready-made words before stemming: prefixes, typos, exact words first.
    "words": {
        "type": "text",
        "analyzer": "whitespace",
        "norms": False,
        "index_options": "docs",
        "similarity": "boolean",
    },
    "data": {"type": "flattened", "depth_limit": 20, "ignore_above": 1024},
    "where": {"type": "geo_point"},
    "hidden": {"type": "boolean"},
    "edit": {"type": "long", "index": False, "doc_values": False},
    "retract": {"type": "long", "index": False, "doc_values": False},
    "edited": _KEPT,
    "body": _KEPT,
}


_MEANING: Final = {
    "type": "dense_vector",
    "dims": DIMENSIONS,
    "element_type": "byte",
    "similarity": "cosine",
    "index": True,
    "index_options": {"type": "hnsw"},
}


def fields(settings: Settings) -> dict[str, Any]:
    """All that is kept of an event."""
    return {**_FIELDS, MEANING: _MEANING} if settings.elasticsearch.meaning else _FIELDS


#: Raised when words or marks are made otherwise than before: older documents lack what is new.
WORDS: Final = 2


def made_with(settings: Settings) -> dict[str, Any]:
    """What decides which words a document is found by."""
    language = settings.elasticsearch.language
    made: dict[str, Any] = {"language": language, "words": WORDS}
    if analysers := analysers_of(languages_of(language)):
        made["analysers"] = analysers
    if settings.elasticsearch.meaning:
        made["meaning"] = model_name()
    return made


def template(settings: Settings, kind: Kind, generation: int, *, live: bool) -> dict[str, Any]:
    """The index template of a generation's indices of one kind; live ones are searched through the alias."""
    prefix = settings.elasticsearch.index_prefix
    return {
        "index_patterns": [f"{names.generation_prefix(prefix, kind, generation)}*"],
        "priority": 500,
        "template": {
            "aliases": {names.alias(prefix, kind): {}} if live else {},
            "settings": {
                "number_of_shards": settings.elasticsearch.shards,
                "auto_expand_replicas": "0-1",
                # The indexer refreshes when it has written, and then publishes its watermark: only so it
                # knows what can be found. This interval is for what an indexer left that was killed.
                "refresh_interval": "5s",
                # Newest first is how most searches read, and old segments are left out early.
                "sort.field": ["at", "seq"],
                "sort.order": ["desc", "desc"],
                "max_result_window": 10_000,
                "mapping.total_fields.limit": 50,
            },
            "mappings": {"dynamic": False, "properties": fields(settings)},
        },
    }


def template_name(settings: Settings, kind: Kind, generation: int) -> str:
    return f"{settings.elasticsearch.index_prefix}-{kind}-g{generation}"


async def put_templates(
    client: AsyncElasticsearch, settings: Settings, generation: int, *, live: bool
) -> None:
    """Make the templates of a generation what they are here."""
    known = fields(settings)
    new = (BASE, NUMBER, REPLY, MARKS, *([MEANING] if MEANING in known else []))
    for kind in Kind:
        made = template(settings, kind, generation, live=live)
        # Indices that are there already learn them; what they hold is without them (searching/scope.py).
        await client.indices.put_mapping(
            index=made["index_patterns"],
            properties={name: known[name] for name in new},
            ignore_unavailable=True,
            allow_no_indices=True,
        )
        await client.indices.put_index_template(
            name=template_name(settings, kind, generation),
            index_patterns=made["index_patterns"],
            priority=made["priority"],
            template=made["template"],
        )
