"""Edges in processes of their own, and what the workers would write for them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from control.channels.channel import ChannelRecord, to_avro
from control.channels.channel import Settings as ChannelSettings
from embedded.ports import find_free
from kernel.log.kafka import apply_topics, client_config
from kernel.log.positions import Stream
from kernel.log.topics import topic_names, topics
from kernel.process.probe import answers
from kernel.settings.reading import PREFIX, Settings, as_environment, load_settings
from schemas.codec import Codec
from tests.pipeline import eventually

ROOT = Path(__file__).parents[2]
EPOCH = 1 << 43


class Fanout:
    """Writes fan-out and event records as the workers do."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._names = topic_names(settings)
        self._producer = Producer(client_config(settings, linger_ms=1, partitioner="murmur2_random"))
        self._codec = Codec("fanout")
        self.written: dict[str, list[int]] = {}

    def write(self, name: str, count: int = 1, *, shard: str = "1#0", text: str = "hello") -> list[int]:
        """So many events more of a stream; their sequence numbers."""
        stream, before = Stream.parse(name), self.written.setdefault(name, [])
        first = before[-1] + 1 if before else EPOCH
        now = time.time_ns() // 1_000_000
        for seq in range(first, first + count):
            shown = {"stream": name, "seq": seq, "id": str(seq), "type": "message"}
            shown |= {"server_ts": "2026-06-11T19:00:00.000Z", "data": {"text": text}}
            record = {"stream": name, "seq": seq, "server_ts": now, "body": json.dumps(shown).encode()}
            self._producer.produce(
                self._names.fanout(stream.kind),
                self._codec.encode(record),
                f"{stream.channel}#{shard}".encode(),
            )
        assert self._producer.flush(60) == 0
        before += range(first, first + count)
        return before[-count:]

    def set_readers(self, channel: str, readers: list[str]) -> None:
        """Say who may read a channel; returns when it is on the log."""
        record = to_avro(ChannelRecord(channel=channel, settings=ChannelSettings(readers=tuple(readers))))
        self._producer.produce(self._names.channels, Codec("channel").encode(record), channel.encode())
        assert self._producer.flush(60) == 0


class EdgeProcess:
    """`touchline edge`."""

    def __init__(self, settings: Settings, logs: Path, **given: Any) -> None:
        self.port = int(given.pop("port", 0)) or find_free()
        self._more: list[str] = given.pop("more", [])
        edge = {f"TOUCHLINE_EDGE_{name.upper()}": str(value) for name, value in given.items()}
        kept = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        self._environment = {**kept, **as_environment(settings), "PYTHONPATH": str(ROOT), **edge}
        self._environment["TOUCHLINE_EDGE_PORT"] = str(self.port)
        self._log = logs / f"edge-{self.port}.log"
        self.url = f"ws://127.0.0.1:{self.port}/v1/ws"
        self.http = f"{'https' if 'tls_cert' in given else 'http'}://127.0.0.1:{self.port}"
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "touchline", "edge", *self._more],
                env=self._environment,
                cwd=self._log.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """The command line with this edge's settings: exit code, output, errors."""
        done = subprocess.run(
            [sys.executable, "-m", "touchline", *arguments],
            env=self._environment,
            cwd=self._log.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def restart(self) -> None:
        self.process = self._start()
        self.wait_ready()

    def wait_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self._log.read_text()[-3000:]
            return answers(f"{self.http}/readyz")

        eventually("the edge is ready", ready, within=120)

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)

    @property
    def log(self) -> str:
        return self._log.read_text()


@contextlib.contextmanager
def edges(kafka: str, logs: Path, count: int = 1, **given: Any) -> Iterator[tuple[Fanout, list[EdgeProcess]]]:
    """Edges on topics of their own; none is left behind."""
    settings = load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka,
            "TOUCHLINE_ELASTICSEARCH_URL": "http://127.0.0.1:1",
            "TOUCHLINE_TOPICS_PREFIX": f"e{time.time_ns():x}",
            "TOUCHLINE_TOPICS_PARTITIONS": "2",
            **{name: given.pop(name) for name in list(given) if name.startswith("TOUCHLINE_")},
        }
    )
    apply_topics(settings, topics(settings))
    running: list[EdgeProcess] = []
    try:
        taken: set[int] = set()
        for _ in range(count):
            port = find_free(avoid=taken)
            taken.add(port)
            running.append(EdgeProcess(settings, logs, port=port, **given))
        for edge in running:
            edge.wait_ready()
        yield Fanout(settings), running
    finally:
        for edge in running:
            edge.kill()
