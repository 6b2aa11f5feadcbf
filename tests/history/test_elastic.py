"""What is made of Elasticsearch's answers: away is not the same as not there."""

from typing import Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig, ObjectApiResponse
from elasticsearch import NotFoundError, TransportError

from history.sources.elasticsearch_client import documents_of, is_away, is_passing

META = ApiResponseMeta(200, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "127.0.0.1", 9))


def answer(*docs: dict[str, Any]) -> ObjectApiResponse[Any]:
    return ObjectApiResponse(meta=META, body={"docs": list(docs)})


def test_documents_are_those_that_were_found() -> None:
    there = {"_id": "1", "found": True, "_source": {}}
    never = {"_id": "3", "error": {"type": "index_not_found_exception"}}
    assert documents_of(answer(there, {"_id": "2", "found": False}, never)) == [there]


def test_a_document_whose_shard_is_away_is_not_taken_for_missing() -> None:
    # Elasticsearch says this document by document, in an answer of status 200.
    away = {"_id": "1", "error": {"type": "no_shard_available_action_exception"}}
    with pytest.raises(TransportError, match="no_shard_available") as raised:
        documents_of(answer({"_id": "2", "found": True, "_source": {}}, away))
    assert is_passing(raised.value)


def test_an_index_that_was_taken_away_while_it_was_read_is_away() -> None:
    gone = NotFoundError("index_not_found_exception", META, {})
    assert is_away(gone)
    assert not is_passing(gone)
