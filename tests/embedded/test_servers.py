"""Real servers survive what processes suffer: kill -9, restarts, a parent that dies."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from embedded.backends.servers import Servers
from kernel.log.kafka import admin_client, client_config
from kernel.settings.reading import load_settings
from tests.servers import data_directory, embedded_servers, servers_dir, wait_until


def produce(bootstrap_servers: str, topic: str, value: bytes) -> None:
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap_servers, "message.max.bytes": 1_100_000})
    producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(60) == 0
    assert not failures


def read_all(bootstrap_servers: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "reads-without-a-group"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values = [message.value() for message in consumer.consume(count, timeout=60)]
    consumer.close()
    return values


def create(bootstrap_servers: str, topic: str, *, partitions: int = 1, replicas: int = 1) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    admin.create_topics([NewTopic(topic, partitions, replication_factor=replicas)])[topic].result(60)


def ends(admin: AdminClient, topic: str, partitions: int) -> list[int | None]:
    """Where they end, of those whose leaders answer."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic, number): latest for number in range(partitions)}
    found = admin.list_offsets(asked, request_timeout=2).values()
    return [None if future.exception(10) else future.result().offset for future in found]


def test_kafka_keeps_its_records_over_kill_9_and_over_another_start_on_other_ports(
    make_servers: Callable[..., Servers],
) -> None:
    servers = make_servers(with_elasticsearch=False)
    servers.start()
    create(servers.bootstrap_servers, "kept")
    produce(servers.bootstrap_servers, "kept", b"before")
    servers.kafka.kill()
    servers.kafka.start()
    produce(servers.bootstrap_servers, "kept", b"after")
    servers.stop()
    again = make_servers(with_elasticsearch=False)
    again.start()
    assert read_all(again.bootstrap_servers, "kept", 2) == [b"before", b"after"]


def test_kafka_takes_a_value_of_one_mebibyte_and_creates_no_topic_by_itself(kafka_servers: str) -> None:
    create(kafka_servers, "large-values")
    produce(kafka_servers, "large-values", b"x" * 1_048_576)
    assert read_all(kafka_servers, "large-values", 1) == [b"x" * 1_048_576]
    admin = AdminClient({"bootstrap.servers": kafka_servers, "allow.auto.create.topics": True})
    admin.list_topics("never-created", timeout=60)
    assert "never-created" not in admin.list_topics(timeout=60).topics


def test_a_group_of_the_new_protocol_gets_its_partitions(kafka_servers: str) -> None:
    create(kafka_servers, "kip-848")
    consumer = Consumer(
        {"bootstrap.servers": kafka_servers, "group.id": "kip-848", "group.protocol": "consumer"}
    )
    consumer.subscribe(["kip-848"])
    wait_until(lambda: consumer.poll(0.1) is None and consumer.assignment(), what="the assignment")
    consumer.close()


@pytest.fixture(scope="module")
def of_three() -> Iterator[Servers]:
    """Three brokers, of which a test may kill some."""
    with data_directory() as directory:
        servers = embedded_servers(directory, brokers=3, with_elasticsearch=False)
        try:
            yield servers
        finally:
            servers.kill()


@pytest.fixture
def three(of_three: Servers) -> Servers:
    """All of them run."""
    of_three.start()
    return of_three


@pytest.mark.servers
@pytest.mark.slow
def test_three_brokers_go_on_while_one_is_dead(three: Servers) -> None:
    create(three.bootstrap_servers, "replicated", replicas=3)
    produce(three.bootstrap_servers, "replicated", b"one")
    three.kafka.brokers[0].kill()
    produce(three.bootstrap_servers, "replicated", b"two")
    three.kafka.start()
    assert read_all(three.bootstrap_servers, "replicated", 2) == [b"one", b"two"]


@pytest.mark.servers
@pytest.mark.slow
def test_whoever_asks_leaders_rests_while_one_is_dead(three: Servers) -> None:
    """librdkafka did not: each role of a pipeline took a core, and the broker had none to come back with."""
    create(three.bootstrap_servers, "led-by-all", partitions=6, replicas=3)
    settings = load_settings({"TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": three.bootstrap_servers})
    admin = admin_client(client_config(settings))
    wait_until(lambda: ends(admin, "led-by-all", 6) == [0] * 6, what="an answer of every leader")
    three.kafka.brokers[0].kill()
    spent, began = time.process_time(), time.monotonic()
    wait_until(lambda: None not in ends(admin, "led-by-all", 6), what="other leaders")
    # Of a core a few hundredths, for as long as it takes; who does not rest takes as much of it as there is.
    assert time.process_time() - spent < 0.5 + 0.1 * (time.monotonic() - began)


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_no_server_outlives_a_parent_that_is_killed() -> None:
    program = (
        "import sys, time; from pathlib import Path; from embedded.backends.servers import Servers\n"
        "s = Servers(Path(sys.argv[1]), servers_dir=Path(sys.argv[2]))\n"
        "s.kafka.launch(); s.elasticsearch.start(); print('up', flush=True); time.sleep(600)"
    )
    with data_directory() as directory:
        argv = [sys.executable, "-c", program, str(directory), str(servers_dir())]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"up\n"
            family = psutil.Process(parent.pid).children(recursive=True)
            assert len(family) == 3, "Kafka, Elasticsearch's launcher, and its server"
            parent.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=60)
        assert not alive
