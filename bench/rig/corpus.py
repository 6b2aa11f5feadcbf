"""Chat messages like those of a match, and a deployment of one's own on the servers of the settings."""

import os
import random
from collections.abc import Iterator
from typing import Any

from confluent_kafka.admin import AdminClient
from elasticsearch import Elasticsearch

from kernel.log.kafka import apply_topics, client_config
from kernel.log.topics import topics
from kernel.settings.reading import Settings, load_settings
from tests.accepted import chat

PARTITIONS = 4
CHANNELS = 8
SPEECH = (
    "what a goal the keeper had no chance at all come on you can do this great save by him that was never a "
    "penalty ref open your eyes best match of this world cup so far who else is watching from home tonight "
    "unbelievable pass midfield striker defender corner offside cross header free kick half time minutes"
)
WORDS = SPEECH.split()


def messages(count: int, *, first: int, since_ms: int, channels: int = CHANNELS) -> Iterator[dict[str, Any]]:
    """Accepted events of about 200 bytes, one a millisecond, from this ingest offset on."""
    dice = random.Random(first)
    for n in range(first, first + count):
        text = " ".join(dice.choices(WORDS, k=18))
        sender = f"user-{dice.randrange(5000)}"
        yield chat(f"channel-{n % channels}", n, text, sender=sender, at=since_ms + n, partitions=PARTITIONS)


def deployment(prefix: str) -> Settings:
    """Settings from the environment, with topics and indices under this prefix; its topics are made."""
    given = {k: v for k, v in os.environ.items() if k.startswith("TOUCHLINE_")}
    settings = load_settings(
        {
            **given,
            "TOUCHLINE_TOPICS_PREFIX": prefix,
            "TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS),
            "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": prefix,
            "TOUCHLINE_INDEXER_GROUP": f"{prefix}-index",
        }
    )
    apply_topics(settings, topics(settings))
    return settings


def clean(settings: Settings) -> None:
    """Take away what a run has left."""
    with Elasticsearch(settings.elasticsearch.url) as client:
        prefix = settings.elasticsearch.index_prefix
        for index in client.indices.get(index=f"{prefix}-*"):
            client.indices.delete(index=index)
        for template in client.indices.get_index_template(name=f"{prefix}-*")["index_templates"]:
            client.indices.delete_index_template(name=template["name"])
    admin = AdminClient(client_config(settings))
    for future in admin.delete_topics([topic.name for topic in topics(settings)]).values():
        future.result()
