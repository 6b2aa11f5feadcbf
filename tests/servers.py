"""Real servers for the tests, decided here: containers where a Docker daemon answers, else embedded."""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

from embedded import ports
from embedded.backends import elasticsearch, kafka
from embedded.backends.pins import load
from embedded.backends.servers import Servers
from kernel.settings.reading import load_settings

ROOT = Path(__file__).parents[1]
#: So long a container's start may take where the machine is busy: an Elasticsearch took more than a minute.
CONTAINER_S = 240.0


@cache
def docker_answers() -> bool:
    """Whether there is a Docker daemon that we may use."""
    # Asked before the client is: where nobody answers, it leaves sockets behind that nobody closes.
    scheme, _, path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").partition("://")
    if scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) != 0:
                return False
    import docker  # type: ignore[import-untyped,unused-ignore]

    try:
        client = docker.from_env(timeout=3)
    except docker.errors.DockerException:
        return False
    with contextlib.closing(client):
        return bool(client.ping())


def kind() -> str:
    """What the tests run on; pytest's header shows it."""
    if docker_answers():
        return "testcontainers (a Docker daemon answers)"
    return "embedded (no Docker daemon answers)"


def servers_dir() -> Path:
    """Where the embedded servers are installed: the same place that `touchline up` of this checkout uses."""
    given = {name: value for name, value in os.environ.items() if name.startswith("TOUCHLINE_EMBEDDED_")}
    embedded = load_settings(given).embedded
    return ROOT / (embedded.servers_dir or Path(embedded.data_dir) / "servers")


def embedded_servers(data_dir: Path, **options: Any) -> Servers:
    """Embedded servers of a test's own, which it may kill and start again."""
    return Servers(data_dir, servers_dir=servers_dir(), **options)


@contextlib.contextmanager
def data_directory() -> Iterator[Path]:
    """A directory for servers' data, gone afterwards. Not pytest's: that one only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="touchline-tests-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        directory.chmod(0o711)
        yield directory


@contextlib.contextmanager
def running_kafka(data_dir: Path) -> Iterator[str]:
    """A Kafka of one broker; yields its bootstrap servers."""
    if not docker_answers():
        with embedded_servers(data_dir, with_elasticsearch=False) as servers:
            yield servers.bootstrap_servers
        return
    port = ports.find_free()
    with _container(f"apache/kafka:{load()['kafka'].version}") as container:
        container.with_bind_ports(port, port)
        for key, value in kafka_container_settings(port).items():
            container.with_env(key, value)
        container.start()
        address = f"{ports.LOOPBACK}:{port}"
        ready = partial(kafka.is_ready, address)
        wait_until(ready, what=f"Kafka's container on {address}", timeout_seconds=CONTAINER_S)
        yield address


@contextlib.contextmanager
def running_elasticsearch(data_dir: Path) -> Iterator[str]:
    """An Elasticsearch of one node; yields its URL."""
    if not docker_answers():
        servers = embedded_servers(data_dir)
        servers.elasticsearch.start()
        try:
            yield servers.elasticsearch_url
        finally:
            servers.elasticsearch.stop()
        return
    with _container(f"elasticsearch:{load()['elasticsearch'].version}") as container:
        container.with_exposed_ports(9200)
        container.with_env("discovery.type", "single-node").with_env("xpack.security.enabled", "false")
        container.with_env("ES_JAVA_OPTS", "-Xms1g -Xmx1g")
        container.start()
        host, port = container.get_container_host_ip(), int(container.get_exposed_port(9200))
        ready = partial(elasticsearch.is_ready, port, host)
        wait_until(ready, what="Elasticsearch's container", timeout_seconds=CONTAINER_S)
        yield f"http://{host}:{port}"


def kafka_container_settings(port: int) -> dict[str, str]:
    """Environment that makes Kafka's image behave as the embedded broker does."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": "1@localhost:29093",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://:{port},CONTROLLER://:29093",
        "advertised.listeners": f"PLAINTEXT://{ports.LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        **kafka.behaviour(1),
    }
    return {f"KAFKA_{key.upper().replace('.', '_')}": str(value) for key, value in settings.items()}


def wait_until(condition: Callable[[], object], *, what: str, timeout_seconds: float = 60) -> None:
    """Wait until `condition` is true; fails with `what` when time is up. No test sleeps for a fixed time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout_seconds:.0f} s"
        time.sleep(0.02)


@contextlib.contextmanager
def _container(image: str) -> Iterator[Any]:
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image)
    try:
        yield container
    finally:
        container.stop()
