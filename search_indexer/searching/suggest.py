"""Suggestions: what the last word of a query may go on as, and what was meant where nothing is found.

They come from what the caller may find, looked for as a search is; of rooms nothing is suggested, as who may
see what there is decided hit by hit. What is looked at is bounded: the newest events of each shard.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec
from elasticsearch import ApiError, AsyncElasticsearch, TransportError

from history.retractions import TakenBack
from history.sources import names
from history.sources.elasticsearch_client import is_away, search_whole, unreachable
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.query.operators import ALIASES, OPERATORS
from search_indexer.query.syntax import edits
from search_indexer.query.tokenizer import name_of, pieces_of
from search_indexer.searching.gone import Gone
from search_indexer.searching.request_body import scope_of
from search_indexer.searching.scope import Seen
from search_indexer.text.folding import Folding

MAX_LIMIT: Final = 20
#: Events of a shard that are counted, the newest first; and those whose words are read.
_COUNTED: Final = 20_000
_READ: Final = 60
#: Words of a query that are looked at for what was meant.
_MOST_WORDS: Final = 6
_TYPOS: Final = 2
_SHORT: Final = 4
_TAIL: Final = re.compile(r'(?:[^\s"]*"[^"]*|[^\s"]+)$')
#: Operator -> the field that its values come from.
_VALUES: Final = {"from": "sender", "mentions": "sender", "in": "channel", "type": "type"}
_TIMES: Final = ("10m", "1h", "1d", "today", "yesterday")
_OF_TIMES: Final = frozenset({"before", "after", "on", "since", "until"})


class Suggestion(msgspec.Struct, omit_defaults=True):
    """What may stand in place of the last word."""

    text: str
    kind: str
    says: str = ""
    #: In how many of the newest events.
    count: int = 0


class Suggestions(msgspec.Struct):
    """They take the place of what stands from `start` on, counted in characters from 0."""

    start: int
    suggestions: list[Suggestion]


class Scope(NamedTuple):
    """What is suggested from."""

    patterns: Sequence[str]
    seen: Seen
    channels: Sequence[str] = ()
    kinds: Sequence[Kind] = ()


def _counted(hits: Sequence[dict[str, Any]]) -> Counter[str]:
    """In how many of the hits each word is."""
    return Counter(word for hit in hits for word in set(hit["_source"].get("words", "").split()))


class _Tail(NamedTuple):
    """The word that is being typed: its sign, its operator, and its value so far."""

    start: int
    sign: str
    name: str
    value: str


class Suggester:
    """Suggests from the live generation."""

    def __init__(self, client: AsyncElasticsearch, settings: Settings, taken_back: TakenBack | None) -> None:
        self._client, self._settings, self._taken_back = client, settings, taken_back
        self._folding = Folding(settings.elasticsearch.language)

    async def complete(self, text: str, scope: Scope, limit: int) -> Suggestions:
        """What the last word may go on as. Raises `unavailable`."""
        tail = _tail_of(text)
        if tail.name:
            made = [
                Suggestion(f"{tail.sign}{tail.name}:{_quoted(one.text)}", one.kind, one.says, one.count)
                for one in await self._values(tail, scope, limit)
            ]
        elif tail.value:
            made = [
                Suggestion(f"{tail.sign}{name}:", "operator", operator.says)
                for name, operator in OPERATORS.items()
                if name.startswith(tail.value.lower())
            ]
            found = await self._words(tail.value, scope, limit)
            made += [Suggestion(tail.sign + word, "word", count=count) for word, count in found]
        else:
            made = []
        return Suggestions(tail.start, made[:limit])

    async def correct(self, q: str, scope: Scope) -> str | None:
        """The query as it may have been meant, where nothing was found; None: nothing comes near it."""
        try:
            pieces = pieces_of(q)[:_MOST_WORDS]
        except TouchlineError:
            return None
        wanted: dict[str, str] = {}
        for piece in pieces:
            if piece.negated or piece.is_or or piece.quoted or piece.text.endswith("*"):
                continue
            wanted[piece.text] = piece.name
        found = await asyncio.gather(*(self._meant(text, name, scope) for text, name in wanted.items()))
        corrected = q
        for text, instead in zip(wanted, found, strict=True):
            if instead is not None:
                corrected = re.sub(
                    rf"(?<!\w){re.escape(text)}(?!\w)", instead.replace("\\", r"\\"), corrected
                )
        return corrected if corrected != q else None

    async def _meant(self, text: str, name: str, scope: Scope) -> str | None:
        if name:
            field = _VALUES.get(name)
            return None if field is None else await self._nearest_value(field, text, scope)
        said, colon, value = text.partition(":")
        if colon and value:
            near = min((*OPERATORS, *ALIASES), key=lambda one: edits(one, said.lower()))
            return f"{near}:{value}" if edits(near, said.lower()) == 1 else None
        words = self._folding.words(text)
        if len(words) != 1 or words[0].pair or len(words[0].word) < _SHORT:
            return None
        return await self._nearest_word(words[0].word, scope)

    async def _values(self, tail: _Tail, scope: Scope, limit: int) -> list[Suggestion]:
        """What may stand behind an operator."""
        operator = OPERATORS[tail.name]
        if operator.values:
            return [Suggestion(v, "value") for v in operator.values if v.startswith(tail.value.lower())]
        if tail.name in _OF_TIMES:
            return [Suggestion(time, "time") for time in _TIMES if time.startswith(tail.value.lower())]
        field = _VALUES.get(tail.name)
        if field is None:
            return []
        begin = tail.value.lstrip("@#")
        filters = [{"prefix": {field: {"value": begin, "case_insensitive": True}}}] if begin else []
        # Lanes are not named: who asks for a channel finds what lies on them.
        lanes = [{"exists": {"field": "base"}}] if field == "channel" else []
        answer = await self._asked(scope, filters, lanes, size=0, terminate_after=_COUNTED, aggregations={
            "values": {"terms": {"field": field, "size": limit}}
        })  # fmt: skip
        buckets = answer.get("aggregations", {}).get("values", {}).get("buckets", [])
        return [Suggestion(one["key"], field, count=one["doc_count"]) for one in buckets]

    async def _words(self, begin: str, scope: Scope, limit: int) -> list[tuple[str, int]]:
        """Words of the newest events that begin so, those first that are in most of them."""
        words = self._folding.words(begin)
        if len(words) != 1 or words[0].pair:
            return []
        start = words[0].word
        wanted = {"prefix": {"words": {"value": start, "rewrite": "constant_score"}}}
        found = await self._read(scope, wanted)
        return [one for one in found.most_common() if one[0].startswith(start) and one[0] != start][:limit]

    async def _nearest_word(self, word: str, scope: Scope) -> str | None:
        wanted = {"fuzzy": {"words": {"value": word, "fuzziness": _TYPOS, "max_expansions": 50}}}
        found = await self._read(scope, wanted)
        near = [(edits(word, other), -count, other) for other, count in found.items()]
        near = [one for one in near if 0 < one[0] <= _TYPOS]
        return None if not near or word in found else min(near)[2]

    async def _nearest_value(self, field: str, value: str, scope: Scope) -> str | None:
        wanted = [{"fuzzy": {field: {"value": value, "fuzziness": _TYPOS, "max_expansions": 50}}}]
        answer = await self._asked(scope, wanted, [], size=0, terminate_after=_COUNTED, aggregations={
            "values": {"terms": {"field": field, "size": MAX_LIMIT}}
        })  # fmt: skip
        buckets = answer.get("aggregations", {}).get("values", {}).get("buckets", [])
        near = [(edits(value, one["key"]), -one["doc_count"], one["key"]) for one in buckets]
        return min(near)[2] if near and value not in {one[2] for one in near} else None

    async def _read(self, scope: Scope, wanted: dict[str, Any]) -> Counter[str]:
        """In how many of the newest events with such a word each of their words is."""
        answer = await self._asked(
            scope, [wanted], [], size=_READ, sort=[{"at": "desc"}], source_includes=["words"]
        )
        return await asyncio.to_thread(_counted, answer.get("hits", {}).get("hits", []))

    async def _asked(
        self, scope: Scope, filters: Iterable[Any], must_not: Iterable[Any], **body: Any
    ) -> dict[str, Any]:
        seen = scope.seen if scope.seen.own is None else scope.seen._replace(rooms=(), ranges=())
        allowed = scope_of(scope.patterns, seen, channels=scope.channels)
        allowed["filter"] += filters
        allowed["must_not"] += [*Gone(self._taken_back).erased(), *must_not]
        prefix = self._settings.elasticsearch.index_prefix
        try:
            return await search_whole(
                self._client,
                index=",".join(names.alias(prefix, kind) for kind in scope.kinds or Kind),
                ignore_unavailable=True,
                allow_no_indices=True,
                query={"bool": allowed},
                track_total_hits=False,
                **body,
            )
        except (ApiError, TransportError) as error:
            raise (unreachable(self._settings, error) if is_away(error) else error) from error


def _tail_of(text: str) -> _Tail:
    """The last word of a query, which is being typed."""
    found = _TAIL.search(text)
    if found is None:
        return _Tail(len(text), "", "", "")
    said = found[0]
    sign = said[: len(said) - len(said.lstrip("-("))]
    name, colon, value = said[len(sign) :].partition(":")
    known = name_of(name) if colon else ""
    if not known:
        return _Tail(found.start(), sign, "", said[len(sign) :])
    return _Tail(found.start(), sign, known, value.strip('"'))


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"\s", value) else value
