"""Workers that a test kills, stops, freezes and starts again, and the group that they are."""

import signal
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition

from embedded.ports import find_free
from kernel.log.positions import Kind
from kernel.log.topics import topic_names, worker_group
from kernel.settings.reading import Settings
from tests.pipeline import ROOT, Pipeline, eventually


class Crew:
    """So many workers, by number."""

    def __init__(self, pipeline: Pipeline, logs: Path, count: int) -> None:
        self._pipeline, self._logs = pipeline, logs
        self._ports: list[int] = []
        while len(self._ports) < count:
            self._ports.append(find_free(avoid=set(self._ports)))
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self._frozen_until: dict[int, float] = {}
        #: Those that may end themselves: they were stopped for longer than they may be, or had no broker.
        self._may_end: set[int] = set()

    def start(self, number: int) -> None:
        environment = {
            **self._pipeline.environment,
            "TOUCHLINE_STREAM_PORT": str(self._ports[number]),
            "PYTHONPATH": str(ROOT),
        }
        with self.log(number).open("ab") as log:
            self.running[number] = subprocess.Popen(
                [sys.executable, "-m", "touchline", "stream"], env=environment, stdout=log, stderr=log
            )

    def log(self, number: int) -> Path:
        return self._logs / f"worker-{number}.log"

    @property
    def awake(self) -> list[int]:
        return sorted(set(self.running) - set(self._frozen_until))

    def end(self, number: int, *, kill: bool) -> None:
        self._may_end.discard(number)
        self._frozen_until.pop(number, None)
        process = self.running.pop(number)
        if kill:
            process.kill()
        else:
            process.terminate()
        process.wait(timeout=90)

    def freeze(self, number: int, seconds: float) -> None:
        """SIGSTOP; `look` wakes it up again."""
        self.running[number].send_signal(signal.SIGSTOP)
        self._frozen_until[number] = time.monotonic() + seconds

    def look(self) -> None:
        """Wake up those whose time has come, start again those that had to end, and no other may have."""
        for number, until in list(self._frozen_until.items()):
            if time.monotonic() >= until:
                del self._frozen_until[number]
                self._may_end.add(number)
                self.running[number].send_signal(signal.SIGCONT)
        for number, process in list(self.running.items()):
            if process.poll() is not None:
                assert number in self._may_end, self.log(number).read_text()[-3000:]
                self._may_end.discard(number)
                self.start(number)

    def excuse(self) -> None:
        """The broker is gone: whoever needed it in that moment ends with a sentence, and is started again."""
        self._may_end.update(self.running)

    def thaw(self) -> None:
        """Wait until none is frozen."""
        for number in self._frozen_until:
            self._frozen_until[number] = 0.0
        self.look()

    def close(self) -> None:
        for number in list(self.running):
            self.end(number, kill=True)


def set_back(settings: Settings, share: float) -> None:
    """Put the offsets of a group without members back to this share of themselves."""
    config = {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": worker_group(settings)}
    consumer = Consumer({**config, "enable.auto.commit": False})
    topic = topic_names(settings).ingest[Kind.CHAT]
    places = [TopicPartition(topic, p) for p in range(settings.topics.partitions)]

    def commit() -> bool:
        try:
            known = [at for at in consumer.committed(places, timeout=60) if at.offset > 0]
            back = [TopicPartition(topic, at.partition, int(at.offset * share)) for at in known]
            if back:
                consumer.commit(offsets=back, asynchronous=False)
        except KafkaException:
            return False  # a member that was killed counts until its session ends
        return True

    eventually("the group's offsets are set back", commit)
    consumer.close()
