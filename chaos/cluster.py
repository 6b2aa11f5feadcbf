"""The pipeline under attack: brokers, Elasticsearch, and every role, each within reach of a fault."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

import psutil
from confluent_kafka import KafkaException

from chaos.faults.links import BROKERS, EDGES, ROLES, SEARCHERS, WIRES, Behaviour, behaviour, wires
from chaos.faults.proxy import Proxies
from chaos.invariants import Size
from chaos.upgrades.earlier import Earlier
from embedded import ports
from embedded.backends.servers import Servers
from embedded.supervision import probe
from embedded.supervision.process import Command, Process
from kernel.errors import TouchlineError
from kernel.log.kafka import apply_topics
from kernel.log.topics import topics
from kernel.process.probe import answers, get
from kernel.settings.reading import PREFIX, Settings, as_environment, load_settings

#: Where all of it is started on two cores that have other work as well.
_READY_S: Final = 180.0
_CELL: Final = "arena"
#: How long an operator tries to make the topics of another version: a broker may be away meanwhile.
_TOPICS_S: Final = 120.0
_AGAIN_S: Final = 1.0


class Cluster:
    """All processes by the names of chaos.faults.schedule."""

    def __init__(
        self,
        directory: Path,
        servers_dir: Path,
        *,
        partitions: int = 4,
        before: Earlier | None = None,
        direct: bool = False,
        **given: str,
    ) -> None:
        """`direct`: nobody strikes it, so there are no proxies, and one broker: all of it costs less so."""
        self._directory = directory
        self._brokers = BROKERS[:1] if direct else BROKERS
        #: An earlier version, the roles that run it still, and those that it does not have: these begin, and
        #: the topics become this version's, with the first upgrade.
        self._before = before
        self._to_come = set(before.lacks) if before else set()
        self._earlier = set(ROLES if before else ()) - self._to_come
        self._topics_are_ours = before is None
        self._servers = Servers(
            directory,
            servers_dir=servers_dir,
            brokers=len(self._brokers),
            behind_proxies=not direct,
            doors=() if direct else ROLES,
        )
        nodes = [broker.node for broker in self._servers.kafka.brokers]
        #: Where each wire listens, and where it leads.
        self._listens: dict[str, int] = {}
        self._leads: dict[str, int] = {}
        taken = {self._servers.elasticsearch.port, *(port for node in nodes for port in node.ports)}

        def free() -> int:
            taken.add(port := ports.find_free(avoid=taken))
            return port

        self._ports = {role: free() for role in ROLES}
        for name, node in zip(self._brokers, nodes, strict=True):
            self._wire(f"*>{name}", node.advertised, node.port)
            controller = name.replace("kafka", "controller")
            self._wire(f"*>{controller}", node.controller_advertised, node.controller_port)
            for door in node.doors:
                self._wire(f"{door.name}>{name}", door.advertised, door.port)
        for role in (*EDGES, "gateway"):
            self._wire(f"*>{role}", free(), self._ports[role])
        for role in SEARCHERS:
            self._wire(f"{role}>elasticsearch", free(), self._servers.elasticsearch.port)
        if direct:
            brokers = {
                f"{role}>{name}": node.port
                for role in ROLES
                for name, node in zip(self._brokers, nodes, strict=True)
            }
            self._listens = self._leads = {**self._leads, **brokers}
        #: What faults have said of links, and with it how wires behave; two faults may end at the same time.
        self._said: dict[str, Behaviour] = {}
        self._behave = dict.fromkeys(WIRES, Behaviour())
        self._saying = threading.Lock()
        self._given = {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": self._servers.bootstrap_servers,
            "TOUCHLINE_ELASTICSEARCH_URL": f"http://127.0.0.1:{self._servers.elasticsearch.port}",
            "TOUCHLINE_TOPICS_PARTITIONS": str(partitions),
            "TOUCHLINE_TOPICS_REPLICATION_FACTOR": str(len(self._brokers)),
            "TOUCHLINE_TOPICS_MIN_INSYNC_REPLICAS": str(len(self._brokers) // 2 + 1),
            "TOUCHLINE_GATEWAY_PORT": str(self._ports["gateway"]),
            "TOUCHLINE_INDEXER_PORT": str(self._ports["index"]),
            "TOUCHLINE_OUTBOX_PORT": str(self._ports["outbox"]),
            "TOUCHLINE_OUTBOX_MAX_RETRY_S": "5",
            "TOUCHLINE_EDGE_HEARTBEAT_MS": "5000",
            "TOUCHLINE_EDGE_RECONNECT_JITTER_MS": "500",
            "TOUCHLINE_EDGE_DRAIN_S": "2",
            "TOUCHLINE_LOG_FORMAT": "json",
            "TOUCHLINE_AUTH_INTERNAL_SECRET": secrets.token_hex(32),
            **{f"{PREFIX}{name}": value for name, value in given.items()},
        }
        self.settings: Settings = load_settings(self._given)
        self._proxies = None if direct else Proxies()
        self._roles = {
            role: Process(role, lambda role=role: self._command(role), directory / "logs" / f"{role}.log")  # type: ignore[misc]
            for role in ROLES
        }

    def start(self) -> None:
        """Start everything, servers first; returns when all is ready."""
        if self._proxies is not None:
            for wire in WIRES:
                self._proxies.say(link=wire, listen=self._listens[wire], to=self._leads[wire])
        self._servers.elasticsearch.launch()
        self._servers.kafka.start(timeout_seconds=_READY_S)
        self._servers.elasticsearch.wait_until_ready(timeout_seconds=_READY_S)
        if self._before is None:
            apply_topics(self.settings, topics(self.settings))
        else:
            self._apply_topics_of(self._before)
        begin = {name: role for name, role in self._roles.items() if self.has_begun(name)}
        for role in begin.values():
            role.launch()
        for name, role in begin.items():
            role.wait_until(lambda name=name: self.is_ready(name), timeout_seconds=_READY_S)  # type: ignore[misc]

    def close(self) -> None:
        """End everything; nothing is left behind."""
        for role in self._roles.values():
            role.kill()
        self._servers.kill()
        if self._proxies is not None:
            self._proxies.close()

    @property
    def edge_urls(self) -> list[str]:
        """Where viewers connect, through the proxies."""
        return [self._edge_url(role) for role in EDGES]

    @property
    def doors(self) -> dict[str, str]:
        """Where each edge answers over HTTP, past the proxies."""
        return {role: f"http://127.0.0.1:{self._ports[role]}" for role in EDGES}

    @property
    def gateway_url(self) -> str:
        """Where producers and searchers find the gateway, through the proxies."""
        return f"http://127.0.0.1:{self._listens['*>gateway']}"

    @property
    def operators(self) -> dict[str, str]:
        """Where each role serves /metrics."""
        return {role: f"http://127.0.0.1:{port}" for role, port in self._ports.items()}

    def is_ready(self, name: str) -> bool:
        """Whether a process can do its work."""
        if name in BROKERS or name == "elasticsearch":
            return self._process(name).is_running()
        return answers(f"http://127.0.0.1:{self._ports[name]}/readyz")

    def is_running(self, name: str) -> bool:
        """Whether a process lives."""
        return self._process(name).is_running()

    def has_begun(self, name: str) -> bool:
        """Whether there is such a process by now: what an earlier version lacks begins with the upgrade."""
        return name not in self._to_come

    def not_ready(self) -> list[str]:
        """Who cannot work now."""
        names = filter(self.has_begun, (*self._brokers, "elasticsearch", *ROLES))
        return [name for name in names if not self.is_ready(name)]

    def sizes(self) -> dict[str, Size]:
        """What our own roles hold now."""
        found = {}
        for name, role in self._roles.items():
            # One that ends at this very moment has no size.
            with contextlib.suppress(psutil.Error):
                if role.pid is not None:
                    process = psutil.Process(role.pid)
                    answer = get(f"{self.operators[name]}/metrics")
                    tasks = probe.tasks(answer[1].decode().splitlines()) if answer else None
                    found[name] = Size(
                        process.memory_info().rss / 1e6, process.num_fds(), process.num_threads(), tasks or 0
                    )
        return found

    def pids(self) -> dict[str, list[int]]:
        """The processes that run now, by name: servers have more than one."""
        leaders = {self._process(name).pid: name for name in (*self._brokers, "elasticsearch", *ROLES)}
        found: dict[str, list[int]] = {}
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if (name := leaders.get(os.getpgid(pid))) is not None:
                    found.setdefault(name, []).append(pid)
        return found

    # ── what can be done to it ───────────────────────────────────────────────────────────────────────

    def kill(self, name: str) -> None:
        """kill -9, and nobody starts it again yet."""
        self._process(name).kill()

    def revive(self, name: str) -> None:
        """What a supervisor does: start it if it does not run."""
        if self.has_begun(name):
            self._process(name).launch()

    def restart(self, name: str) -> None:
        """SIGTERM, wait, start."""
        self._process(name).stop(grace_seconds=30)
        self.revive(name)

    def upgrade(self, name: str) -> None:
        """Restart a role with this version's code. The first time the topics become this version's before it,
        while all roles of the earlier one are at work, and the roles begin that it does not have."""
        if not self._topics_are_ours:
            self._make_topics_ours()
        self._earlier.discard(name)
        self.restart(name)

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and those that it has started."""
        pid = self._process(name).pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(pid, number)

    def link(self, name: str, mode: str, ms: float = 0.0) -> None:
        """Change how a link behaves; a wire in several faults behaves as the worst of them says."""
        with self._saying:
            self._said[name] = Behaviour(mode, ms)
            for wire in wires(name):
                now = behaviour(wire, self._said)
                if now != self._behave[wire]:
                    self._behave[wire] = now
                    assert self._proxies is not None  # noqa: S101 - whoever strikes links has asked for them
                    self._proxies.say(link=wire, mode=now.mode, ms=now.ms)

    def skew(self, role: str, seconds: float) -> None:
        """Move a role's wall clock."""
        self._skew_file(role).write_text(str(seconds))

    def refuse_writes(self, refused: bool) -> None:
        """What Elasticsearch does to its indices when its disk is full, and takes back when there is room."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self._servers.elasticsearch.port, timeout=10)
            body = json.dumps({"index.blocks.read_only_allow_delete": True if refused else None})
            connection.request("PUT", "/_all/_settings", body, {"Content-Type": "application/json"})
            connection.getresponse().read()
            connection.close()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────

    def _process(self, name: str) -> Process:
        if name in BROKERS:
            return self._servers.kafka.brokers[BROKERS.index(name)]
        return self._servers.elasticsearch if name == "elasticsearch" else self._roles[name]

    def _edge_url(self, role: str) -> str:
        return f"ws://127.0.0.1:{self._listens[f'*>{role}']}/v1/ws"

    def _wire(self, wire: str, listens: int, leads: int) -> None:
        self._listens[wire], self._leads[wire] = listens, leads

    def _address(self, wire: str) -> str:
        return f"127.0.0.1:{self._listens[wire]}"

    def _skew_file(self, role: str) -> Path:
        return self._directory / f"{role}.skew"

    def _command(self, role: str) -> Command:
        kind = role.partition("-")[0]
        own = {}
        if kind == "stream":
            own = {"STREAM_PORT": self._ports[role], "STREAM_INSTANCE": role}
        elif kind == "edge":
            cell = "" if role == "edge-own" else _CELL
            own = {"EDGE_PORT": self._ports[role], "EDGE_NAME": role, "EDGE_CELL": cell}
            own |= {"EDGE_PUBLIC_URL": self._edge_url(role)}
        brokers = [self._address(f"{role}>{name}") for name in self._brokers]
        own |= {"KAFKA_BOOTSTRAP_SERVERS": ",".join(brokers)}
        if role in SEARCHERS:
            own |= {"ELASTICSEARCH_URL": f"http://{self._address(f'{role}>elasticsearch')}"}
        given = {f"{PREFIX}{name}": str(value) for name, value in own.items()}
        earlier = self._before if role in self._earlier else None
        return Command(
            argv=(*_python(earlier), "-m", _skewed(earlier), str(self._skew_file(role)), kind),
            environment={**self._environment(earlier), **given},
            directory=self._directory,
        )

    def _environment(self, earlier: Earlier | None) -> dict[str, str]:
        """For a role of this version, or of an earlier one, which refuses settings that it does not know."""
        if earlier is not None:
            return earlier.environment(self._given)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        return {**kept, **as_environment(self.settings)}

    def _make_topics_ours(self) -> None:
        """As an operator would, who tries again where brokers are away."""
        ends = time.monotonic() + _TOPICS_S
        while not self._topics_are_ours:
            try:
                apply_topics(self.settings, topics(self.settings))
                self._topics_are_ours = True
            except (TouchlineError, KafkaException) as error:
                if time.monotonic() >= ends:
                    raise TouchlineError("unavailable", f"The topics could not be made: {error}") from error
                time.sleep(_AGAIN_S)
        begin, self._to_come = self._to_come, set()
        for name in begin:
            self.revive(name)

    def _apply_topics_of(self, earlier: Earlier) -> None:
        command = (earlier.python, "-P", "-m", "touchline", "topics", "apply")
        subprocess.run(
            command,
            check=True,
            cwd=self._directory,
            env=self._environment(earlier),
            stdout=subprocess.DEVNULL,
        )


def _python(earlier: Earlier | None) -> tuple[str, str]:
    return (sys.executable if earlier is None else earlier.python, "-P")


def _skewed(earlier: Earlier | None) -> str:
    """The module that is run: of this installation, or of an earlier checkout, where nothing is before it."""
    package = __package__ or ""
    return f"{package if earlier is None else package.rpartition('.')[2]}.skewed"
