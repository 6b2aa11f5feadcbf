"""What `touchline up` starts, from the settings: the processes, their order, their ports and addresses."""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from embedded import ports
from embedded.backends import elasticsearch, kafka
from embedded.backends.elasticsearch import Elasticsearch, Place
from embedded.backends.kafka import KafkaBroker, Layout, Node
from embedded.datadir import DataDirectory
from embedded.supervision import probe
from embedded.supervision.process import Command, Process
from embedded.supervision.state import Addresses
from embedded.supervision.supervisor import Spec
from kernel.errors import TouchlineError
from kernel.settings.reading import PREFIX, Outbox, Settings, as_environment

_ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True)
class Claim:
    """A port that a process will listen on, and the setting that decides it."""

    port: int
    owner: str
    setting: str


@dataclass(frozen=True)
class Role:
    """One process of our own: `touchline COMMAND`, with an address and settings of its own."""

    name: str
    command: str
    section: str
    host: str
    port: int
    tls: bool = False

    @property
    def claim(self) -> Claim:
        return Claim(self.port, self.name, f"{PREFIX}{self.section}_PORT")

    @property
    def operator_url(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.authority}"

    @property
    def authority(self) -> str:
        host = ports.LOOPBACK if self.host in _ANY_ADDRESS else self.host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


class Plan:
    """The pipeline of these settings with so many edges and workers."""

    def __init__(self, settings: Settings, *, edges: int = 1, workers: int = 1) -> None:
        self._settings = settings
        embedded = settings.embedded
        fixed = [
            Claim(embedded.kafka_port, "Kafka", f"{PREFIX}EMBEDDED_KAFKA_PORT"),
            Claim(embedded.elasticsearch_port, "Elasticsearch", f"{PREFIX}EMBEDDED_ELASTICSEARCH_PORT"),
        ]
        gateway = Role("gateway", "gateway", "GATEWAY", settings.gateway.host, settings.gateway.port)
        index = Role("index", "index", "INDEXER", settings.indexer.host, settings.indexer.port)
        edge = settings.edge
        self._edges = [
            Role(name, "edge", "EDGE", edge.host, edge.port + i, tls=bool(edge.tls_cert))
            for i, name in enumerate(_names("edge", edges))
        ]
        taken = {role.port for role in (gateway, index, *self._edges)} | {claim.port for claim in fixed}

        def free() -> int:
            port = ports.find_free(avoid=taken)
            taken.add(port)
            return port

        # Nobody but `status` asks a worker anything: those after the first take any port that is free.
        stream = settings.stream
        taken.add(stream.port)
        workers_ = [
            Role(name, "stream", "STREAM", stream.host, stream.port if i == 0 else free())
            for i, name in enumerate(_names("stream", workers))
        ]
        # Nobody asks an outbox either: it lets go of its usual port where that is somebody else's already.
        port = settings.outbox.port
        if port == Outbox().port and (port in taken or not ports.is_free(port)):
            port = free()
        outbox = Role("outbox", "outbox", "OUTBOX", settings.outbox.host, port)
        self._gateway = gateway
        self._roles = [*workers_, index, *self._edges, outbox, gateway]
        self.claims = [*fixed, *(role.claim for role in self._roles)]
        self._kafka = Node(1, embedded.kafka_port, free())
        self._elasticsearch_transport = free()

    @property
    def addresses(self) -> Addresses:
        return Addresses(
            kafka=self._kafka.address,
            elasticsearch=f"http://{ports.LOOPBACK}:{self._settings.embedded.elasticsearch_port}",
            gateway=self._gateway.operator_url,
            edges=tuple(f"ws{'s' if edge.tls else ''}://{edge.authority}/v1/ws" for edge in self._edges),
            topics=self._settings.topics.prefix,
            indices=self._settings.elasticsearch.index_prefix,
        )

    def specs(self, directory: DataDirectory, homes: Mapping[str, Path], java_home: Path) -> list[Spec]:
        """The processes, in the order in which they are shown."""
        embedded = self._settings.embedded
        layout = Layout(
            directory.path / "kafka", homes["kafka"], java_home, (self._kafka,), embedded.kafka_heap
        )
        place = Place(
            directory=directory.path / "elasticsearch",
            home=homes["elasticsearch"],
            java_home=java_home,
            port=embedded.elasticsearch_port,
            transport_port=self._elasticsearch_transport,
            heap=embedded.elasticsearch_heap,
        )
        broker = KafkaBroker(layout, self._kafka, directory.logs)
        search = Elasticsearch(place, directory.logs)
        return [
            Spec(broker, lambda: kafka.is_ready(self._kafka.address), port=self._kafka.port),
            Spec(search, lambda: elasticsearch.is_ready(place.port), port=place.port, start_seconds=180),
            Spec(
                self._process("topics", directory, ("topics", "apply"), {}),
                is_ready=None,
                after=(broker.name,),
            ),
            *self._role_specs(directory, after=(broker.name, "topics"), search=search.name),
        ]

    def _role_specs(self, directory: DataDirectory, *, after: tuple[str, ...], search: str) -> Iterator[Spec]:
        for role in self._roles:
            own = {f"{PREFIX}{role.section}_HOST": role.host, f"{PREFIX}{role.section}_PORT": str(role.port)}
            if role is not self._gateway:  # whose pages may connect
                own[f"{PREFIX}GATEWAY_PORT"] = str(self._gateway.port)
            if role.command == "outbox":  # on loopback without keys its posts may stay there
                own[f"{PREFIX}GATEWAY_HOST"] = self._gateway.host
            if role is self._gateway and not self._settings.gateway.edges:
                own[f"{PREFIX}GATEWAY_EDGES"] = ",".join(self.addresses.edges)
            if role is self._gateway and not self._settings.gateway.roles:
                watched = (f"{each.name}={each.operator_url}" for each in self._roles)
                own[f"{PREFIX}GATEWAY_ROLES"] = ",".join(watched)
            yield Spec(
                self._process(role.name, directory, (role.command,), own),
                lambda url=role.operator_url: probe.is_ready(url),  # type: ignore[misc]
                # The log is the record, so workers and edges do without the index; these two do not.
                after=(*after, search) if role.command in {"index", "gateway"} else after,
                port=role.port,
                operator_url=role.operator_url,
            )

    def _keys(self, directory: DataDirectory) -> dict[str, str]:
        """By what the roles sign, and push services know them, where no setting says it."""
        keys = {}
        if not self._settings.auth.internal_secret:
            keys[f"{PREFIX}AUTH_INTERNAL_SECRET"] = directory.secret()
        if not self._settings.outbox.vapid_key:
            keys[f"{PREFIX}OUTBOX_VAPID_KEY"] = str(directory.vapid_key())
        return keys

    def _process(
        self, name: str, directory: DataDirectory, arguments: tuple[str, ...], own: Mapping[str, str]
    ) -> Process:
        command = Command(
            # -P: what lies in the directory where `up` was called must not be imported.
            argv=(sys.executable, "-P", "-m", "touchline", *arguments),
            environment={
                **os.environ,
                **as_environment(self._settings),
                **self._keys(directory),
                f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS": self.addresses.kafka,
                f"{PREFIX}ELASTICSEARCH_URL": self.addresses.elasticsearch,
                **own,
            },
            directory=Path.cwd(),
        )
        return Process(name, lambda: command, directory.logs / f"{name}.log")


def _names(base: str, count: int) -> list[str]:
    return [base] if count == 1 else [f"{base}-{number}" for number in range(1, count + 1)]


def refuse_double_claims(claims: list[Claim]) -> None:
    """Two processes cannot have the same port."""
    owners: dict[int, Claim] = {}
    for claim in claims:
        first = owners.setdefault(claim.port, claim)
        if first is not claim:
            raise TouchlineError(
                "bad_setting",
                f"Port {claim.port} is given twice: to {first.owner} ({first.setting}) and to {claim.owner}.",
                hint=f"Set {claim.setting} to another one.",
            )
