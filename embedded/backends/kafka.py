"""A real Apache Kafka (KRaft): one broker for a laptop and tests, several where replication matters."""

import shutil
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from embedded import ports
from embedded.backends.java import java_environment
from embedded.supervision.process import Command, Process
from kernel.errors import TouchlineError

#: A little above the 1 MiB that an event may have: room for the record's headers and the batch's own.
MAX_MESSAGE_BYTES: Final = 1_048_576 + 65_536

_LOG4J: Final = """\
status = error
appender.stdout.type = Console
appender.stdout.name = stdout
appender.stdout.layout.type = PatternLayout
appender.stdout.layout.pattern = [%d] %p %m (%c{1})%n
rootLogger.level = info
rootLogger.appenderRef.stdout.ref = stdout
# Each start would list 300 settings, six times, and bury what happened.
logger.config.name = org.apache.kafka.common.config.AbstractConfig
logger.config.level = warn
logger.kafkaconfig.name = kafka.server.KafkaConfig
logger.kafkaconfig.level = warn
"""


@dataclass(frozen=True)
class Listener:
    """A listener for one client alone: who comes in by it is told of the brokers by their doors of this name.

    So what lies between this client and a broker can be another way than everybody else's.
    """

    name: str
    port: int
    advertised: int

    @property
    def listener(self) -> str:
        """Its name as Kafka spells names of listeners."""
        return self.name.upper().replace("-", "_")


@dataclass(frozen=True)
class Node:
    """One broker, which is a controller too: its number, from 1, and where it listens.

    `advertised` is the port that it names to clients and to other brokers, where that is another one's: a
    proxy's, say; `controller_advertised` the one at which the others find it as a controller.
    """

    number: int
    port: int
    controller_port: int
    advertised: int = 0
    controller_advertised: int = 0
    doors: tuple[Listener, ...] = ()

    @property
    def address(self) -> str:
        return f"{ports.LOOPBACK}:{self.port}"

    @property
    def advertised_address(self) -> str:
        return f"{ports.LOOPBACK}:{self.advertised or self.port}"

    @property
    def controller_address(self) -> str:
        """Where the quorum's members find each other."""
        return f"{ports.LOOPBACK}:{self.controller_advertised or self.controller_port}"

    @property
    def ports(self) -> tuple[int, ...]:
        """All that it takes; 0 for those that it has no use for."""
        doors = (port for door in self.doors for port in (door.port, door.advertised))
        return self.port, self.controller_port, self.advertised, self.controller_advertised, *doors


@dataclass(frozen=True)
class Layout:
    """What all brokers of a cluster share."""

    directory: Path
    jars: Path
    java_home: Path
    nodes: tuple[Node, ...]
    heap: str = "640m"


class KafkaBroker(Process):
    """One broker's process."""

    def __init__(self, layout: Layout, node: Node, logs: Path) -> None:
        name = "kafka" if len(layout.nodes) == 1 else f"kafka-{node.number}"
        super().__init__(name, self._prepare, logs / f"{name}.log")
        self.node = node
        self._layout = layout
        self._home = layout.directory / f"node-{node.number}"

    def start(self, *, timeout_seconds: float = 120) -> None:
        """Start it, and wait until it can be used."""
        self.launch()
        self.wait_until(lambda: is_ready(self.node.address), timeout_seconds=timeout_seconds)

    def _prepare(self) -> Command:
        self._home.mkdir(parents=True, exist_ok=True)
        # What a killed broker left there: the native libraries of its compressors, unpacked.
        shutil.rmtree(self._home / "tmp", ignore_errors=True)
        (self._home / "tmp").mkdir()
        (self._home / "log4j2.properties").write_text(_LOG4J)
        (self._home / "server.properties").write_text(
            properties(self._layout, self.node, self._home / "data")
        )
        if not (self._home / "data" / "meta.properties").exists():
            self._format()
        return self._java("kafka.Kafka", str(self._home / "server.properties"))

    def _format(self) -> None:
        """Give the storage its cluster's id. Done only when meta.properties is there, so safe to repeat."""
        shutil.rmtree(self._home / "data", ignore_errors=True)
        command = self._java(
            # With `=`: one id in 64 starts with a dash, and would be taken for an option.
            *("kafka.tools.StorageTool", "format", f"--cluster-id={_cluster_id(self._layout.directory)}"),
            *("--config", str(self._home / "server.properties")),
        )
        tool = Process(f"{self.name} (formatting its storage)", lambda: command, self.log_file)
        tool.launch()
        if tool.wait() != 0:
            raise tool.failed("could not format its storage")

    def _java(self, main_class: str, *arguments: str) -> Command:
        return Command(
            argv=(
                str(self._layout.java_home / "bin" / "java"),
                *(f"-Xms{self._layout.heap}", f"-Xmx{self._layout.heap}", "-XX:+ExitOnOutOfMemoryError"),
                *("-XX:+UseParallelGC", f"-Xmn{young(self._layout.heap)}", "-XX:MetaspaceSize=64m"),
                "-Djava.awt.headless=true",
                f"-Djava.io.tmpdir={self._home / 'tmp'}",
                f"-Dlog4j2.configurationFile={self._home / 'log4j2.properties'}",
                # For the compressors' native code, of which Java 24 and later ask to be told.
                "--enable-native-access=ALL-UNNAMED",
                *("-cp", f"{self._layout.jars}/*"),
                main_class,
                *arguments,
            ),
            environment=java_environment(),
            directory=self._home,
        )


class Kafka:
    """A cluster of brokers, started and stopped together; each can also be had alone as `brokers[i]`."""

    def __init__(self, layout: Layout, logs: Path) -> None:
        self.brokers = tuple(KafkaBroker(layout, node, logs) for node in layout.nodes)

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.node.advertised_address for broker in self.brokers)

    def start(self, *, timeout_seconds: float = 120) -> None:
        """Start what does not run, and wait until it can be used."""
        self.launch()
        self.wait_until_ready(timeout_seconds=timeout_seconds)

    def launch(self) -> None:
        """Start what does not run, without waiting for it."""
        for broker in self.brokers:
            broker.launch()

    def wait_until_ready(self, *, timeout_seconds: float = 120) -> None:
        """Wait until the cluster answers, and counts all of its brokers that run."""
        running = [broker for broker in self.brokers if broker.is_running()]
        for broker in running or self.brokers:
            broker.wait_until(
                lambda address=broker.node.address: is_ready(address, brokers=len(running)),  # type: ignore[misc]
                timeout_seconds=timeout_seconds,
            )

    def stop(self) -> None:
        # All are asked before one is waited for: a broker that leaves hands its partitions to one that stays,
        # and the last controllers would wait for a majority that is gone.
        for broker in self.brokers:
            broker.terminate()
        for broker in self.brokers:
            broker.stop()

    def kill(self) -> None:
        for broker in self.brokers:
            broker.kill()


def nodes(
    count: int, *, port: int = 0, behind_proxies: bool = False, doors: Sequence[str] = ()
) -> tuple[Node, ...]:
    """Places for `count` brokers; `port` is the first one's, 0 means any that is free."""
    found: list[Node] = []
    taken: set[int] = set()

    def free() -> int:
        taken.add(number := ports.find_free(avoid=taken))
        return number

    for number in range(1, count + 1):
        own = port if port and number == 1 else free()
        proxies = (free(), free()) if behind_proxies else (0, 0)
        own_doors = tuple(Listener(name, free(), free()) for name in doors)
        found.append(Node(number, own, free(), *proxies, doors=own_doors))
    return tuple(found)


def is_ready(address: str, *, brokers: int = 1) -> bool:
    """Whether this broker answers, and knows at least so many brokers as ready for work."""
    host, _, port = address.rpartition(":")
    if ports.is_free(int(port), host):  # asks without the client's log line about a refused connection
        return False
    client = AdminClient({"bootstrap.servers": address, "socket.timeout.ms": 2000, "log_level": 0})
    try:
        return len(client.list_topics(timeout=2).brokers) >= brokers
    except KafkaException:
        return False


def properties(layout: Layout, node: Node, data: Path) -> str:
    """The broker's server.properties."""
    voters = ",".join(f"{n.number}@{n.controller_address}" for n in layout.nodes)
    ways = [("PLAINTEXT", node.address, node.advertised_address)]
    ways += [
        (door.listener, f"{ports.LOOPBACK}:{door.port}", f"{ports.LOOPBACK}:{door.advertised}")
        for door in node.doors
    ]
    listeners = {
        "process.roles": "broker,controller",
        "node.id": node.number,
        # A fixed quorum, and not `--standalone`: the ports may be others at the next start.
        "controller.quorum.voters": voters,
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(
            [f"{name}://{own}" for name, own, _ in ways]
            + [f"CONTROLLER://{ports.LOOPBACK}:{node.controller_port}"]
        ),
        "advertised.listeners": ",".join(f"{name}://{advertised}" for name, _, advertised in ways),
        "listener.security.protocol.map": ",".join(
            f"{name}:PLAINTEXT" for name in (*(name for name, _, _ in ways), "CONTROLLER")
        ),
        "log.dirs": data,
        # One client needs no more.
        **{f"listener.name.{door.listener.lower()}.num.network.threads": 1 for door in node.doors},
    }
    return "".join(f"{key}={value}\n" for key, value in {**listeners, **behaviour(len(layout.nodes))}.items())


def behaviour(brokers: int) -> dict[str, object]:
    """The settings that do not depend on where a broker lives; containers in tests get the same."""
    replication = min(3, brokers)
    in_sync = max(1, replication - 1)
    return {
        "auto.create.topics.enable": "false",
        "default.replication.factor": replication,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replication,
        "transaction.state.log.replication.factor": replication,
        "transaction.state.log.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replication,
        "share.coordinator.state.topic.min.isr": in_sync,
        # The defaults, 50 each, are for hundreds of groups: here they would be files to open at each start.
        "offsets.topic.num.partitions": 8,
        "transaction.state.log.num.partitions": 8,
        "share.coordinator.state.topic.num.partitions": 4,
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        # Groups start at once, and a member that died is missed after ten seconds, not 45.
        "group.initial.rebalance.delay.ms": 0,
        "group.consumer.session.timeout.ms": 10_000,
        "group.consumer.min.session.timeout.ms": 6_000,
        "group.consumer.heartbeat.interval.ms": 2_000,
        "group.consumer.min.heartbeat.interval.ms": 1_000,
        # A broker that was killed may not come back before its old session has run out. One alone has nobody
        # who could take over, so it gains nothing from a long one.
        "broker.session.timeout.ms": 3_000 if brokers == 1 else 6_000,
        "broker.heartbeat.interval.ms": 1_000,
        # Of the default 128 MB a heap of 640 MB would lose a fifth.
        "log.cleaner.dedupe.buffer.size": 32 * 1024 * 1024,
        # Fetches that were answered are kept until there are so many (1,000 by default): each collection of
        # the broker's garbage copies them.
        "fetch.purgatory.purge.interval.requests": 100,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 4,
    }


def young(heap: str) -> str:
    """How much of a heap is for what is young.

    Nearly all that a broker makes is soon of no use, and what stays is small: with three fifths of the heap a
    collection comes seldom, and has little to do (docs/decisions/0037).
    """
    mebibytes = int(heap[:-1]) * (1024 if heap.endswith("g") else 1)
    return f"{mebibytes * 3 // 5}m"


def _cluster_id(directory: Path) -> str:
    """The cluster's id, made once: 16 random bytes in Kafka's spelling."""
    path = directory / "cluster.id"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_text(urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="))
        unfinished.replace(path)
    identity = path.read_text().strip()
    if not identity:
        raise TouchlineError(
            "bad_data_dir", f"{path} is empty.", hint=f"Move {directory} away to start anew."
        )
    return identity
