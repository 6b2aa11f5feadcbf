"""A query on one text in memory, as alerts ask it; and what search asks Elasticsearch of the same terms."""

import json

import pytest

from search_indexer.query import elasticsearch_query
from search_indexer.query.matching import matches, text_of
from search_indexer.query.parser import parse
from search_indexer.text.folding import Folding

FOLDING = Folding()


@pytest.mark.parametrize(
    ("q", "text", "found"),
    [
        ("penalty", "a penatly", True),
        ("-reply", "watch the replay", True),
        ("-reply", "no reply", False),
        ("-replies", "no reply", False),
        ("goal -reply", "goal in the replay", True),
        ("-penalty", "a penatly", True),
        ("-pen*", "a penatly", False),
    ],
)
def test_typos_are_forgiven_in_what_is_wanted_never_in_what_is_not(q: str, text: str, found: bool) -> None:
    query = parse(q, FOLDING)
    assert matches(query, text_of(text, FOLDING)) is found
    assert ("fuzzy" in json.dumps(elasticsearch_query.clauses(query)["must_not"])) is False
