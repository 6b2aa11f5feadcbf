"""The registry's read API, with Confluent's own client and deserializer: they decode what we write."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from kernel.log.topics import topics
from schemas.catalog import built_in
from schemas.codec import Codec
from tests.pipeline import Pipeline

EXAMPLES: dict[str, dict[str, Any]] = {
    "ingest-chat": {
        "type": "message",
        "key": None,
        "sender": "ana",
        "client_ts": None,
        "data": {"text": "Olé"},
    },
    "ingest-location": {"data": {"lat": 1.5, "lon": 2.0}},
    "fanout": {"stream": "chat:a", "seq": 1 << 43, "server_ts": 1_767_225_600_000, "body": b"{}"},
    "channel": {"channel": "a"},
}


@pytest.fixture
def client(ingesting: Pipeline) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": ingesting.gateway_url}) as made:
        yield made


@pytest.mark.parametrize("name", EXAMPLES)
def test_confluents_deserializer_decodes_every_topic(
    ingesting: Pipeline, client: SchemaRegistryClient, name: str
) -> None:
    topic = next(topic.name for topic in topics(ingesting.settings) if topic.value == name)
    value = Codec(name).encode(EXAMPLES[name])
    found: Any = AvroDeserializer(client)(value, SerializationContext(topic, MessageField.VALUE))
    assert EXAMPLES[name].keys() <= found.keys()
    if name == "fanout":
        assert found["server_ts"].isoformat() == "2026-01-01T00:00:00+00:00"


def test_every_topic_has_a_subject_with_all_versions(
    ingesting: Pipeline, client: SchemaRegistryClient
) -> None:
    assert set(client.get_subjects()) == {f"{topic.name}-value" for topic in topics(ingesting.settings)}
    for topic in topics(ingesting.settings):
        numbers = client.get_versions(f"{topic.name}-value")
        assert numbers == [version.number for version in built_in().versions(topic.value)]
        latest = client.get_latest_version(f"{topic.name}-value")
        assert latest.schema_id == built_in().id_of(built_in().latest(topic.value))
        assert latest.version == numbers[-1]
        assert client.get_version(f"{topic.name}-value", numbers[0]).schema.schema_type == "AVRO"


@pytest.mark.parametrize(("ask", "code"), [("id", 40403), ("subject", 40401), ("version", 40402)])
def test_what_is_not_there_has_the_registrys_own_codes(
    ingesting: Pipeline, client: SchemaRegistryClient, ask: str, code: int
) -> None:
    subject = f"{topics(ingesting.settings)[0].name}-value"
    asking: dict[str, Callable[[], object]] = {
        "id": lambda: client.get_schema(12345),
        "subject": lambda: client.get_latest_version("nothing-value"),
        "version": lambda: client.get_version(subject, 99),
    }
    with pytest.raises(SchemaRegistryError) as missing:
        asking[ask]()
    assert (missing.value.http_status_code, missing.value.error_code) == (404, code)


@pytest.mark.parametrize("text", ["as it is here", "with other texts"])
def test_a_schema_that_is_here_can_be_registered_as_serializers_do(
    ingesting: Pipeline, client: SchemaRegistryClient, text: str
) -> None:
    topic = next(topic.name for topic in topics(ingesting.settings) if topic.value == "ingest-chat")
    latest = built_in().latest("ingest-chat")
    schema = built_in().schemas[latest]
    posted = Schema(json.dumps(schema if text == "as it is here" else {**schema, "doc": text}), "AVRO")
    number = built_in().id_of(latest)
    assert client.register_schema(f"{topic}-value", posted) == number
    found = client.lookup_schema(f"{topic}-value", posted)
    assert (found.schema_id, found.version, found.subject) == (number, latest.number, f"{topic}-value")


@pytest.mark.parametrize(
    ("subject", "schema", "answers"),
    [
        ("nothing-value", '"string"', ((404, 40401), (404, 40401))),
        ("ingest.chat-value", '"string"', ((409, 409), (404, 40403))),
        ("ingest.chat-value", "no schema", ((409, 409), (404, 40403))),
    ],
)
def test_no_other_schema_is_taken(
    ingesting: Pipeline,
    client: SchemaRegistryClient,
    subject: str,
    schema: str,
    answers: tuple[tuple[int, int], ...],
) -> None:
    posted = Schema(schema, "AVRO")
    asks: tuple[Callable[..., object], ...] = (client.register_schema, client.lookup_schema)
    for ask, expected in zip(asks, answers, strict=True):
        with pytest.raises(SchemaRegistryError) as refused:
            ask(f"{ingesting.name}.{subject}", posted)
        assert (refused.value.http_status_code, refused.value.error_code) == expected
