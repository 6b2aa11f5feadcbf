"""The roles that a measurement needs, as processes on topics of their own; and their Kafka."""

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from embedded.backends.servers import Servers
from embedded.ports import find_free
from kernel.log.kafka import apply_topics
from kernel.log.topics import topics
from kernel.settings.reading import PREFIX, Settings, as_environment, load_settings

_READY_S = 150.0


class Roles:
    """Processes by name: `stream`, `edge`, `edge-2`, `gateway`, `index`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._ports: dict[str, int] = {}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, *names: str) -> float:
        """Start them together; how many seconds until all are ready."""
        began = time.monotonic()
        for name in names:
            role = name.partition("-")[0]
            port = self._ports.setdefault(name, find_free(avoid=set(self._ports.values())))
            section = {"index": "INDEXER"}.get(role, role.upper())
            given = {f"{PREFIX}{section}_PORT": str(port)}
            if role == "edge":
                given |= {f"{PREFIX}EDGE_NAME": name}
            given |= {f"{PREFIX}STATE_DIR": f"{self.settings.state.dir}/{name}"}
            environment = {**os.environ, **as_environment(self.settings), **given}
            self._running[name] = subprocess.Popen([sys.executable, "-m", "touchline", role], env=environment)
        for name in names:
            self._wait(name, began + _READY_S)
        return time.monotonic() - began

    def port(self, name: str) -> int:
        return self._ports[name]

    def pid(self, name: str) -> int:
        return self._running[name].pid

    def held(self, name: str) -> tuple[float, float]:
        """What a role holds, and the most that it has held, in MB."""
        lines = Path(f"/proc/{self.pid(name)}/status").read_text().splitlines()
        rss, peak = (next(int(x.split()[1]) for x in lines if x.startswith(f)) for f in ("VmRSS", "VmHWM"))
        return rss / 1024, peak / 1024

    def spent(self) -> dict[str, float]:
        """Seconds of CPU of each."""
        found = {}
        for name, process in self._running.items():
            times = psutil.Process(process.pid).cpu_times()
            found[name] = times.user + times.system
        return found

    def stop(self, *names: str) -> None:
        for name in names or list(self._running):
            process = self._running.pop(name)
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            process.kill()

    def _wait(self, name: str, deadline: float) -> None:
        url = f"http://127.0.0.1:{self._ports[name]}/readyz"
        while True:
            assert self._running[name].poll() is None, f"{name} has ended"
            assert time.monotonic() < deadline, f"{name} is not ready"
            with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
                if answer.status == 200:
                    return
            time.sleep(0.05)


@contextlib.contextmanager
def deployment(*, elasticsearch: bool = False, **given: str) -> Iterator[Roles]:
    """Topics of one's own, on the servers of the settings or, where there are none, on some of one's own."""
    home = Path(tempfile.mkdtemp(prefix="touchline-bench-rooms-"))
    home.chmod(0o711)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        if f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS" in os.environ:
            where = {}
        else:
            embedded = load_settings().embedded
            directory = Path(embedded.servers_dir or Path(embedded.data_dir) / "servers").absolute()
            servers = stack.enter_context(
                Servers(home / "data", servers_dir=directory, with_elasticsearch=elasticsearch)
            )
            where = {f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers}
            if elasticsearch:
                where[f"{PREFIX}ELASTICSEARCH_URL"] = servers.elasticsearch_url
        if not elasticsearch:  # nothing listens there: history comes from the log
            where[f"{PREFIX}ELASTICSEARCH_URL"] = "http://127.0.0.1:9"
        prefix = f"bench{secrets.token_hex(4)}"
        own = {
            "TOPICS_PREFIX": prefix,
            "TOPICS_PARTITIONS": "4",
            "ELASTICSEARCH_INDEX_PREFIX": prefix,
            "INDEXER_GROUP": f"{prefix}-index",
            "STREAM_GROUP": f"{prefix}-stream",
            "AUTH_INTERNAL_SECRET": secrets.token_hex(32),
            "STATE_DIR": str(home / "state"),
            "LOG_LEVEL": "error",
            # One viewer here does the work of many.
            "EDGE_MAX_MESSAGES_PER_S": "10000",
            **given,
        }
        settings = load_settings(
            {k: v for k, v in os.environ.items() if k.startswith(PREFIX)}
            | where
            | {f"{PREFIX}{name}": value for name, value in own.items()}
        )
        apply_topics(settings, topics(settings))
        roles = Roles(settings)
        stack.callback(roles.stop)
        yield roles
