"""Touchline's roles as processes against the tests' servers, with topics and ports of their own."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from embedded.ports import find_free
from kernel.log.kafka import apply_topics
from kernel.log.topics import topics
from kernel.process.probe import answers
from kernel.settings.reading import PREFIX, Settings, as_environment, load_settings
from tests.accepted import PARTITIONS

ROOT = Path(__file__).parents[1]
T = TypeVar("T")
#: By which the roles of all these pipelines sign.
INTERNAL_SECRET = secrets.token_hex(32)


def eventually(what: str, ask: Callable[[], T | None], *, within: float = 60.0) -> T:
    """Ask until there is an answer that is neither None nor false; fail with `what` when time is up.

    What one waits for takes a second: the time is for a machine that does much else.
    """
    deadline = time.monotonic() + within
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        time.sleep(0.05)
    return answer


class Pipeline:
    """Roles by name: `stream`, `edge`, `index`, `gateway`, `outbox`."""

    def __init__(self, kafka: str, elasticsearch: str, logs: Path, **given: str) -> None:
        taken: set[int] = set()
        for _ in range(5):
            taken.add(find_free(avoid=taken))
        stream, edge, index, gateway, outbox = sorted(taken)
        self.name = f"t{secrets.token_hex(4)}"
        self.settings: Settings = load_settings(
            {
                "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "TOUCHLINE_ELASTICSEARCH_URL": elasticsearch,
                "TOUCHLINE_ELASTICSEARCH_INDEX_PREFIX": self.name,
                "TOUCHLINE_TOPICS_PREFIX": self.name,
                "TOUCHLINE_TOPICS_PARTITIONS": str(PARTITIONS),
                "TOUCHLINE_STREAM_PORT": str(stream),
                "TOUCHLINE_EDGE_PORT": str(edge),
                "TOUCHLINE_AUTH_INTERNAL_SECRET": INTERNAL_SECRET,
                "TOUCHLINE_INDEXER_PORT": str(index),
                "TOUCHLINE_GATEWAY_PORT": str(gateway),
                "TOUCHLINE_OUTBOX_PORT": str(outbox),
                "TOUCHLINE_STATE_DIR": str(logs / "state"),
                # Each telling is a request to every role: who looks at the figures sets it for themselves.
                "TOUCHLINE_GATEWAY_OPS_EVERY_S": "10",
                **given,
            }
        )
        self._logs = logs
        self._ports = {"stream": stream, "edge": edge, "index": index, "gateway": gateway, "outbox": outbox}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        apply_topics(self.settings, topics(self.settings))

    @property
    def environment(self) -> dict[str, str]:
        """For a child process: these settings, and none of whoever runs the tests."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        return {**kept, **as_environment(self.settings)}

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self._ports['gateway']}"

    @property
    def edge_url(self) -> str:
        return f"ws://127.0.0.1:{self._ports['edge']}/v1/ws"

    def start(self, *roles: str) -> None:
        """Start these roles together, and wait until each is ready."""
        for role in roles:
            self.launch(role)
        for role in roles:
            eventually(f"{role} is ready", partial(self.is_ready, role), within=180)

    def launch(self, role: str) -> None:
        """Start a role, without waiting for it."""
        with (self._logs / f"{self.name}-{role}.log").open("ab") as log:
            self._running[role] = subprocess.Popen(
                [sys.executable, "-m", "touchline", role],
                cwd=self._logs,
                env={**self.environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def health(self, role: str) -> str:
        """The address that answers while the process lives, whatever it lacks."""
        return f"http://127.0.0.1:{self._ports[role]}/healthz"

    def is_ready(self, role: str) -> bool:
        assert self._running[role].poll() is None, f"{role} ended:\n{self.log(role)}"
        return answers(f"http://127.0.0.1:{self._ports[role]}/readyz", timeout=20)

    def problems(self, role: str) -> dict[str, str]:
        """What a role says that it lacks; nothing where it does not answer."""
        try:
            with urlopen(f"http://127.0.0.1:{self._ports[role]}/readyz", timeout=20):
                return {}
        except HTTPError as error:
            with error:
                found: dict[str, str] = json.load(error)["problems"]
                return found
        except (OSError, HTTPException):
            return {}

    def log(self, role: str) -> str:
        """The end of what a role has logged."""
        return self.whole_log(role)[-3000:]

    def whole_log(self, role: str) -> str:
        """All that a role has logged."""
        with contextlib.suppress(FileNotFoundError):
            return (self._logs / f"{self.name}-{role}.log").read_text("utf-8", "replace")
        return ""

    def pid(self, role: str) -> int:
        return self._running[role].pid

    def kill(self, role: str) -> None:
        """kill -9."""
        self._end(role, signal.SIGKILL)

    def stop(self, role: str) -> int:
        """SIGTERM, and wait; the exit code."""
        return self._end(role, signal.SIGTERM)

    def close(self) -> None:
        for role in list(self._running):
            self.kill(role)

    def run(
        self, *arguments: str, stdin: str | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """The command line with these settings, as a user would call it."""
        done = subprocess.run(
            [sys.executable, "-m", "touchline", *arguments],
            cwd=self._logs,
            env={**self.environment, "PYTHONPATH": str(ROOT)},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert not check or done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        """What a command prints with --json, line by line."""
        return [json.loads(line) for line in self.run(*arguments, "--json").stdout.splitlines()]

    def _end(self, role: str, number: signal.Signals) -> int:
        process = self._running.pop(role)
        process.send_signal(number)
        try:
            return process.wait(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def imported(pipeline: Pipeline, *arguments: str) -> set[str]:
    """The packages that a command imports until it ends; it has to succeed."""
    told = "import sys; from touchline.cli import run; c = run(sys.argv[1:]); print(*sys.modules); exit(c)"
    done = subprocess.run(
        [sys.executable, "-c", told, *arguments],
        env={**pipeline.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@contextlib.contextmanager
def running(kafka: str, elasticsearch: str, logs: Path, *roles: str, **given: str) -> Iterator[Pipeline]:
    """A pipeline with these roles running; none is left behind."""
    pipeline = Pipeline(kafka, elasticsearch, logs, **given)
    try:
        pipeline.start(*roles)
        yield pipeline
    finally:
        pipeline.close()
        if pipeline.settings.elasticsearch.index_prefix == pipeline.name:
            forget_indices(elasticsearch, pipeline.name)


def forget_indices(elasticsearch: str, prefix: str) -> None:
    """Give back the indices of a pipeline: one node has a thousand shards at most, for the tests together."""
    with contextlib.suppress(OSError):  # the test ended this Elasticsearch, or never had one
        with urlopen(f"{elasticsearch}/_alias/{prefix}-*?expand_wildcards=all", timeout=60) as answer:
            indices = sorted(json.load(answer))
        few = [",".join(indices[at : at + 20]) for at in range(0, len(indices), 20)]  # a URL has 4 kB at most
        for path in (*few, f"_index_template/{prefix}-*"):
            with urlopen(Request(f"{elasticsearch}/{path}", method="DELETE"), timeout=60):
                pass
