"""Topics become what the settings say; an absent Kafka is a sentence, and is waited for."""

import secrets

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from embedded.ports import find_free
from kernel.errors import TouchlineError
from kernel.log.kafka import apply_topics, client_config, wait_for_kafka
from kernel.log.topics import Topic, topic_names, topics
from kernel.settings.reading import Settings, load_settings
from tests.pipeline import eventually


def settings_for(servers: str, **given: str) -> Settings:
    return load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": servers,
            "TOUCHLINE_TOPICS_PREFIX": f"t{secrets.token_hex(4)}",
            "TOUCHLINE_TOPICS_PARTITIONS": "2",
            **given,
        }
    )


def config_of(settings: Settings, topic: str) -> dict[str, str]:
    admin = AdminClient(client_config(settings))
    (future,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()
    return {name: entry.value for name, entry in future.result().items()}


@pytest.mark.servers
def test_topics_are_created_as_defined_and_a_second_time_nothing_is_done(kafka_servers: str) -> None:
    settings = settings_for(kafka_servers)
    wanted = topics(settings)
    assert set(apply_topics(settings, wanted).values()) == {"created"}
    assert set(apply_topics(settings, wanted).values()) == {"present"}
    present = AdminClient(client_config(settings)).list_topics(timeout=60).topics
    for topic in wanted:
        assert len(present[topic.name].partitions) == topic.partitions
        assert topic.config.items() <= config_of(settings, topic.name).items()


@pytest.mark.servers
def test_a_topic_grows_and_takes_new_settings_but_never_loses_partitions(kafka_servers: str) -> None:
    settings = settings_for(kafka_servers)
    name = topic_names(settings).rejected
    small = Topic(name, "channel", "rejection", 2, {"retention.ms": "60000"})
    assert apply_topics(settings, [small]) == {name: "created"}
    assert apply_topics(settings, [small._replace(partitions=5)]) == {name: "grown"}
    assert apply_topics(settings, [small._replace(partitions=1, config={"retention.ms": "90000"})]) == {
        name: "changed"
    }
    # A broker hears of changes a moment after the controller has confirmed them.
    eventually("it is told", lambda: config_of(settings, name)["retention.ms"] == "90000")
    assert len(AdminClient(client_config(settings)).list_topics(timeout=60).topics[name].partitions) == 5


async def test_an_absent_kafka_is_a_sentence_that_says_what_to_do() -> None:
    settings = settings_for(f"127.0.0.1:{find_free()}")
    with pytest.raises(
        TouchlineError, match=r"Kafka does not answer at 127\.0\.0\.1.*touchline up"
    ) as caught:
        await wait_for_kafka(settings, attempts=1)
    assert caught.value.code == "unavailable"


@pytest.mark.servers
async def test_waiting_for_kafka_ends_when_it_is_there(kafka_servers: str) -> None:
    await wait_for_kafka(settings_for(kafka_servers), attempts=10)
