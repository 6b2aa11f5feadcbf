"""A query as Elasticsearch is asked: built from parsed terms only, never from what somebody typed."""

from typing import Any

from search_indexer.query.syntax import AnyForm, Clause, During, Field, Near, Phrase, Prefix, Query, Term


def clauses(query: Query) -> dict[str, list[dict[str, Any]]]:
    """The `must`, `filter` and `must_not` of a bool query: what is no word has no score."""
    return {
        "must": [_any_of(clause) for clause in query.clauses if not clause.negated and clause.of_words],
        "filter": [_any_of(clause) for clause in query.clauses if not clause.negated and not clause.of_words],
        "must_not": [_any_of(clause) for clause in query.clauses if clause.negated],
    }


def _any_of(clause: Clause) -> dict[str, Any]:
    terms = [_term(term) for term in clause.terms]
    return terms[0] if len(terms) == 1 else {"bool": {"should": terms, "minimum_should_match": 1}}


def _term(term: Term) -> dict[str, Any]:
    """Scores: the word as it was written 2.5, another form of it 1, a typo 0.5; the same in every index."""
    match term:
        case Field() | During() | Near():
            # Beside words, in one clause: as much as another form of one.
            return {"constant_score": {"filter": fact(term)}}
        case Prefix(start):
            return {"prefix": {"words": {"value": start, "rewrite": "constant_score"}}}
        case Phrase(stems):
            if len(stems) == 1:
                return {"term": {"text": {"value": stems[0]}}}
            # The words are ready: the field's analyzer only separates them at the spaces again.
            return {"match_phrase": {"text": {"query": " ".join(stems)}}}
        case AnyForm(word, stem):
            should: list[dict[str, Any]] = [
                {"term": {"text": {"value": stem}}},
                {"term": {"words": {"value": word, "boost": 1.5 if not term.forgiving else 1.0}}},
            ]
            if term.forgiving:
                typo = {
                    "value": word,
                    "fuzziness": 1,
                    "max_expansions": 50,
                    "transpositions": True,
                    "rewrite": "top_terms_boost_50",
                    "boost": 0.5,
                }
                should.append({"fuzzy": {"words": typo}})
            return {"bool": {"should": should, "minimum_should_match": 1}}


def fact(term: Field | During | Near) -> dict[str, Any]:
    """The filter for what an event says of itself."""
    match term:
        case During(since, end):
            bounds = {"gte": since, "lt": end}
            return {"range": {"at": {name: at for name, at in bounds.items() if at is not None}}}
        case Near(lat, lon, metres):
            return {"geo_distance": {"distance": f"{metres}m", "where": {"lat": lat, "lon": lon}}}
        case Field("stream", value, begins):
            kind, _, channel = value.partition(":")
            return {"bool": {"filter": [{"term": {"kind": kind}}, _channel(channel, begins=begins)]}}
        case Field("channel", value, begins):
            return _channel(value, begins=begins)
        case Field(name, value, begins):
            return {"prefix" if begins else "term": {name: {"value": value}}}


def _channel(name: str, *, begins: bool) -> dict[str, Any]:
    """A channel with its lanes; of what begins so, they do too."""
    if begins:
        return {"prefix": {"channel": {"value": name}}}
    return {"bool": {"should": [{"term": {"channel": name}}, {"term": {"base": name}}]}}
