"""Kafka and Elasticsearch as one thing to start and stop: `with Servers(directory) as servers: …`."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from embedded import ports
from embedded.backends import artifacts, kafka
from embedded.backends.artifacts import Progress
from embedded.backends.elasticsearch import Elasticsearch, Place
from embedded.backends.kafka import Kafka, Layout


class Servers:
    """Real servers with their data below `data_dir`; so are they, where no `servers_dir` is given.

    What is not on this machine yet is downloaded first. A port of 0 means any that is free; it stays the same
    for the life of this object, over kill and start.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        servers_dir: Path | None = None,
        kafka_port: int = 0,
        elasticsearch_port: int = 0,
        brokers: int = 1,
        kafka_heap: str = "640m",
        elasticsearch_heap: str = "1g",
        with_elasticsearch: bool = True,
        behind_proxies: bool = False,
        doors: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> None:
        data_dir = data_dir.absolute()
        names = ("kafka", "elasticsearch") if with_elasticsearch else ("kafka",)
        java_home = artifacts.java_home()
        homes = artifacts.install((servers_dir or data_dir / "servers").absolute(), names, progress=progress)
        logs = data_dir / "logs"
        nodes = kafka.nodes(brokers, port=kafka_port, behind_proxies=behind_proxies, doors=doors)
        layout = Layout(data_dir / "kafka", homes["kafka"], java_home, nodes, heap=kafka_heap)
        self.kafka: Final = Kafka(layout, logs)
        self._elasticsearch: Elasticsearch | None = None
        if with_elasticsearch:
            avoid = {
                elasticsearch_port,
                *(port for node in nodes for port in node.ports),
            }
            port = elasticsearch_port or ports.find_free(avoid=avoid)
            transport = ports.find_free(avoid={*avoid, port})
            place = Place(
                data_dir / "elasticsearch",
                homes["elasticsearch"],
                java_home,
                port,
                transport,
                elasticsearch_heap,
            )
            self._elasticsearch = Elasticsearch(place, logs)

    @property
    def elasticsearch(self) -> Elasticsearch:
        if self._elasticsearch is None:
            raise AssertionError("these servers were made with with_elasticsearch=False")
        return self._elasticsearch

    @property
    def bootstrap_servers(self) -> str:
        return self.kafka.bootstrap_servers

    @property
    def elasticsearch_url(self) -> str:
        return self.elasticsearch.url

    def start(self) -> None:
        """Start both side by side, and wait until both can be used. If one fails, none stays."""
        try:
            if self._elasticsearch is not None:
                self._elasticsearch.launch()
            self.kafka.start()
            if self._elasticsearch is not None:
                self._elasticsearch.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        with contextlib.ExitStack() as stack:  # the one is stopped although stopping the other failed
            stack.callback(self.kafka.stop)
            if self._elasticsearch is not None:
                stack.callback(self._elasticsearch.stop)

    def kill(self) -> None:
        """End both at once, as a power failure would."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.kafka.kill)
            if self._elasticsearch is not None:
                stack.callback(self._elasticsearch.kill)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
