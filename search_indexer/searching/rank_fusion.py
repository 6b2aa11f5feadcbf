"""Hits by words and by meaning as one list: what is asked besides, and how two orders become one. Pure.

Ranks are what is put together, not scores: those of words and those of vectors have nothing in common.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from kernel.errors import TouchlineError
from search_indexer.indexing.mappings import MEANING
from search_indexer.query.tokenizer import pieces_of

#: So many hits of each order are put together: who reads on wants another question.
WINDOW: Final = 100
#: How much sooner the first ranks weigh than later ones (Cormack et al., 2009).
_K: Final = 60
#: What is less alike than this is about something else (the cosine of two vectors).
_LEAST: Final = 0.25


def words_of(q: str) -> str:
    """What a query says, without what it only filters by, and without what it does not want."""
    return " ".join(
        piece.text.rstrip("*") for piece in pieces_of(q) if not (piece.is_or or piece.negated or piece.name)
    )


def near(body: Mapping[str, Any], vector: Sequence[int]) -> dict[str, Any]:
    """Asks for what is nearest, of all that the search for words may find: its filters bind here too."""
    within = {name: body["query"]["bool"][name] for name in ("filter", "must_not")}
    knn = {
        "field": MEANING,
        "query_vector": list(vector),
        "k": WINDOW,
        "num_candidates": 2 * WINDOW,
        "similarity": _LEAST,
        "filter": {"bool": within},
    }
    kept = {name: body[name] for name in ("source_includes", "source_excludes", "sort")}
    return {**kept, "knn": knn, "size": WINDOW, "track_total_hits": False}


def fused(*orders: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One order of several, by reciprocal rank; of equals the newer first. Its score is each hit's."""
    scores: dict[str, float] = {}
    hits: dict[str, Mapping[str, Any]] = {}
    for order in orders:
        for rank, hit in enumerate(order, 1):
            scores[hit["_id"]] = scores.get(hit["_id"], 0.0) + 1 / (_K + rank)
            hits.setdefault(hit["_id"], hit)
    ranked = sorted(hits, key=lambda id_: (scores[id_], hits[id_]["sort"][1:]), reverse=True)
    return [{**hits[id_], "_score": round(scores[id_], 5)} for id_ in ranked]


def check(q: str, *, made: bool) -> None:
    """Raises `bad_request` where a search by meaning cannot be answered."""
    if not made:
        raise TouchlineError(
            "bad_request",
            "sort is 'meaning', and this index has none: TOUCHLINE_ELASTICSEARCH_MEANING turns it on.",
        )
    if not words_of(q).strip():
        raise TouchlineError("bad_request", "sort is 'meaning', and q has no words: say what it is about.")
