"""What bench/edges.py measures from Kafka: an edge and its peers, each on topics of its own; and the
publisher that writes to them.

    python -m bench.rig.edge_on_kafka [--rate EVENTS_PER_S --seconds S]

Without a rate it reads lines, `EVENTS_PER_S SECONDS`, and answers each when it has written.
"""

import argparse
import contextlib
import itertools
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from bench.peers import centrifugo, installing
from bench.rig.edge_alone import STREAM, body
from bench.rig.generator import BINARIES, CONTROL, PORT, listening, running
from kernel.log.topics import topics

PYTHON = (sys.executable, "-m")
SECRET = secrets.token_hex(32)
SIZE = 200
#: In the environment of a publisher whose reader wants bare bodies, ready to be sent.
BODIES = "BENCH_BODIES"


class Server(NamedTuple):
    """What is under test, the environment of whoever writes to its topics, and who else works for it."""

    process: subprocess.Popen[str]
    environment: dict[str, str]
    helpers: tuple[int, ...] = ()

    @property
    def pids(self) -> tuple[int, ...]:
        """Whose CPU counts."""
        return self.process.pid, *self.helpers


def token_path() -> str:
    """Where a viewer connects, with a token that lets them watch."""
    from kernel.access.tokens import sign

    can = dict.fromkeys(("subscribe", "history"), ("*",))
    return f"/v1/ws?token={sign('ana', can, expires_s=time.time() + 3600, key=SECRET)}"


def wait_ready() -> None:
    """Wait until the edge takes viewers."""
    from kernel.process.probe import answers

    deadline = time.monotonic() + 60
    while not answers(f"http://127.0.0.1:{PORT}/readyz"):
        assert time.monotonic() < deadline, "the edge is not ready"
        time.sleep(0.1)


@contextlib.contextmanager
def own_topics(**settings: str) -> Iterator[dict[str, str]]:
    """Topics of one's own, as the environment of whoever uses them."""
    from confluent_kafka.admin import AdminClient

    from kernel.log.kafka import apply_topics, client_config
    from kernel.settings.reading import load_settings

    environment = {
        **os.environ,
        "TOUCHLINE_TOPICS_PREFIX": f"bench{secrets.token_hex(4)}",
        "TOUCHLINE_TOPICS_PARTITIONS": "4",
        "TOUCHLINE_EDGE_PORT": str(PORT),
        "TOUCHLINE_EDGE_MAX_CONNECTIONS_PER_USER": "100000",
        "TOUCHLINE_EDGE_MAX_SUBSCRIPTIONS_PER_USER": "1000000",
        "TOUCHLINE_AUTH_SECRET": SECRET,
        "TOUCHLINE_LOG_LEVEL": "warning",
        **settings,
    }
    loaded = load_settings(environment)
    apply_topics(loaded, topics(loaded))
    try:
        yield environment
    finally:
        admin = AdminClient(client_config(loaded))
        for done in admin.delete_topics([topic.name for topic in topics(loaded)]).values():
            done.result()


@contextlib.contextmanager
def kafka_edge() -> Iterator[Server]:
    """An edge on topics of its own."""
    with own_topics() as environment, running(0, *PYTHON, "touchline", "edge", **environment) as server:
        wait_ready()
        yield Server(server, environment)


@contextlib.contextmanager
def ready_made() -> Iterator[tuple[dict[str, str], tuple[str, ...]]]:
    """Topics whose records are ready to be sent, and how the peers of peers/fan_out.py are told of them."""
    from kernel.log.topics import topic_names
    from kernel.settings.reading import load_settings

    with own_topics() as environment:
        loaded = load_settings(environment)
        source = ("--kafka", loaded.kafka.bootstrap_servers, "--topic", topic_names(loaded).fanout_live)
        yield {**environment, BODIES: "1"}, source


@contextlib.contextmanager
def kafka_peer(name: str) -> Iterator[Server]:
    """The prototype, or `websockets.broadcast`."""
    with (
        ready_made() as (environment, source),
        running(0, *PYTHON, "bench.peers.fan_out", name, "--port", str(PORT), *source) as server,
    ):
        listening(PORT).close()
        yield Server(server, environment)


@contextlib.contextmanager
def kafka_bare() -> Iterator[Server]:
    """The bare server, and beside it on its core a process that reads Kafka for it."""
    with (
        ready_made() as (environment, source),
        running(0, str(BINARIES / "rawfan"), "--port", str(PORT), "--ctl", str(CONTROL)) as server,
    ):
        listening(CONTROL).close()
        with running(0, *PYTHON, "bench.peers.fan_out", "feed", "--ctl", str(CONTROL), *source) as feed:
            assert feed.stdout is not None
            assert feed.stdout.readline(), "bench.peers.fan_out feed has ended"
            yield Server(server, environment, (feed.pid,))


@contextlib.contextmanager
def kafka_centrifugo() -> Iterator[Server]:
    """Centrifugo with its own Kafka consumer, on topics of its own."""
    from kernel.log.topics import topic_names
    from kernel.settings.reading import load_settings

    with own_topics() as environment:
        loaded = load_settings(environment)
        brokers, topic = loaded.kafka.bootstrap_servers, topic_names(loaded).fanout_live
        with (
            centrifugo.configured(PORT, brokers, topic) as config,
            running(0, str(installing.centrifugo()), "-c", str(config)) as server,
        ):
            listening(PORT).close()
            time.sleep(3)  # it joins its group; nothing tells when
            yield Server(server, {**environment, BODIES: "1"})


Publish = Callable[[float, float], None]


def publisher(environment: dict[str, str]) -> Publish:
    """Gives a function that writes fan-out records at a rate for some seconds, each when it is due."""
    from confluent_kafka import Producer

    from kernel.log.kafka import client_config
    from kernel.log.topics import topic_names
    from kernel.settings.reading import load_settings
    from schemas.codec import Codec

    settings = load_settings(environment)
    producer = Producer(client_config(settings, linger_ms=0, acks="1"))
    codec, topic, ready = Codec("fanout"), topic_names(settings).fanout_live, BODIES in environment
    numbers = itertools.count(time.time_ns() // 1000)

    def publish(rate: float, seconds: float) -> None:
        start, done = time.time_ns() + 50_000_000, 0
        while done < int(rate * seconds):
            due = start + int(done * 1e9 / rate)
            now = time.time_ns()
            if due > now:
                time.sleep((due - now) / 1e9)
                continue
            seq = next(numbers)
            said = body(seq, due, SIZE)
            record = {"stream": STREAM, "seq": seq, "server_ts": due // 1_000_000, "body": said}
            value = said if ready else codec.encode(record)
            producer.produce(topic, value, b"bench#1#0", headers=centrifugo.HEADERS if ready else None)
            producer.poll(0)
            done += 1
        producer.flush(10)

    return publish


@contextlib.contextmanager
def publishing(environment: dict[str, str]) -> Iterator[Publish]:
    """A publisher as a process of its own; it keeps its connections from one rate to the next."""
    with running(1, *PYTHON, "bench.rig.edge_on_kafka", **environment) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        to, answers = process.stdin, process.stdout

        def publish(rate: float, seconds: float) -> None:
            to.write(f"{rate} {seconds}\n")
            to.flush()
            assert answers.readline(), "the publisher has ended"

        yield publish


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seconds", type=float, default=10)
    given = parser.parse_args()
    write = publisher(dict(os.environ))
    if given.rate:
        write(given.rate, given.seconds)
    else:
        for line in sys.stdin:
            write(*map(float, line.split()))
            print("done", flush=True)
