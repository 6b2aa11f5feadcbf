"""Topics of notes, and processes that own and read them."""

import asyncio
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from control.entity.tables import Tables
from control.entity.types import EntityType
from control.entity.view import View
from embedded.ports import find_free
from kernel.clock import SystemClock
from kernel.settings.reading import PREFIX, as_environment, load_settings
from tests.control.notes import Note, command, decode_note, note_type
from tests.pipeline import ROOT, eventually


class Rig:
    """`prefix.inputs` (kept), `prefix.notes` (compacted), `prefix.refused`."""

    def __init__(self, kafka: str, home: Path, partitions: int, store: str = "sqlite") -> None:
        prefix = f"e{secrets.token_hex(4)}"
        self.inputs, self.notes, self.refused = (f"{prefix}.{n}" for n in ("inputs", "notes", "refused"))
        self.settings = load_settings(
            {
                "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka,
                "TOUCHLINE_TOPICS_PREFIX": prefix,
                "TOUCHLINE_STREAM_GROUP": f"{prefix}-owners",
                "TOUCHLINE_STATE_DIR": str(home / "state"),
                "TOUCHLINE_STATE_STORE": store,
            }
        )
        self.home, self.kafka, self.partitions = home, kafka, partitions
        self.admin = AdminClient({"bootstrap.servers": kafka})
        self.producer = Producer({"bootstrap.servers": kafka, "partitioner": "murmur2_random"})
        self.make_topics()
        self.processes: list[subprocess.Popen[bytes]] = []

    def make_topics(self) -> None:
        compacted = {"cleanup.policy": "compact"}
        new = [
            NewTopic(self.inputs, self.partitions),
            NewTopic(self.notes, self.partitions, config=compacted),
            NewTopic(self.refused, 1),
        ]
        for made in self.admin.create_topics(new).values():
            made.result(60)

    def grow(self, partitions: int) -> None:
        new = [NewPartitions(topic, partitions) for topic in (self.notes, self.inputs)]
        for grown in self.admin.create_partitions(new).values():
            grown.result(60)
        self.partitions = partitions
        # Brokers tell of new partitions a moment later, and the producer asks only where it has to.
        eventually(
            "the new partitions are known",
            lambda: all(
                len(self.producer.list_topics(topic, timeout=60).topics[topic].partitions) == partitions
                for topic in (self.notes, self.inputs)
            ),
        )

    def post(self, user: str, do: str = "set", text: str = "", add: int = 0) -> None:
        self.producer.produce(self.inputs, command(do, text, add), user)

    def put(self, topic: str, key: str | None, value: bytes | None, partition: int, **more: Any) -> None:
        """A record by hand, anywhere."""
        self.producer.produce(topic, value, key, partition, **more)
        self.flush()

    def flush(self) -> None:
        assert self.producer.flush(60) == 0

    # ── processes ────────────────────────────────────────────────────────────────────────────────────

    def start(self, module: str, name: str, **given: str) -> subprocess.Popen[bytes]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        environment = {**kept, **as_environment(self.settings), "PYTHONPATH": str(ROOT), **given}
        with (self.home / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"tests.control.{module}", name],
                cwd=self.home, env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def start_owner(self, name: str) -> subprocess.Popen[bytes]:
        # Without a port it has no name in the group: what dies has its partitions shared out.
        return self.start("owner_process", name, TOUCHLINE_STREAM_PORT=str(find_free()))

    def log(self, name: str) -> str:
        return (self.home / f"{name}.log").read_text()

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()

    # ── what lies on the log ─────────────────────────────────────────────────────────────────────────

    def records(self, topic: str) -> list[Any]:
        """All records of a topic, partition by partition."""
        return read_whole(self.kafka, topic)

    def recount(self) -> dict[str, Note]:
        """The notes as the log has them: of each key the record with the highest revision."""
        last = {(m.key(), m.partition()): m.value() for m in self.records(self.notes)}
        best: dict[str, Note] = {}
        for (key, _), value in last.items():
            if value is None:
                continue
            note, name = decode_note(value), key.decode()
            if name not in best or note.revision > best[name].revision:
                best[name] = note
        return best

    # ── readers in this process ──────────────────────────────────────────────────────────────────────

    @contextlib.asynccontextmanager
    async def reading(self, role: str = "reader", **options: Any) -> AsyncIterator["Reading"]:
        type_ = options.pop("type_", None) or note_type(self.notes)
        ready, failed = asyncio.Event(), asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_result(error)

        tables = Tables(
            self.settings,
            role,
            [type_],
            clock=SystemClock(),
            on_ready=ready.set,
            on_failed=fail,
            **options,
        )
        tables.start()
        try:
            waits = asyncio.ensure_future(ready.wait())
            await asyncio.wait({waits, failed}, timeout=180, return_when=asyncio.FIRST_COMPLETED)
            assert ready.is_set(), f"not ready: {failed}"
            yield Reading(tables, type_, failed)
        finally:
            await tables.stop()


class Reading:
    """A reader's tables, its view, and what ended it."""

    def __init__(self, tables: Tables, type_: EntityType[Note], failed: "asyncio.Future[Any]") -> None:
        self.tables, self.failed = tables, failed
        self.view: View[Note] = tables.view(type_)


async def until(what: str, ask: Any, *, within: float = 90.0) -> Any:
    """Wait for an answer that is neither None nor false, without holding the loop."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while not (answer := ask()):
        assert loop.time() < deadline, f"not within {within:.0f} s: {what}"
        await asyncio.sleep(0.02)
    return answer


def read_whole(kafka: str, topic: str) -> list[Any]:
    """All records of a topic, partition by partition."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "recount", "enable.partition.eof": True})
    try:
        parts = list(consumer.list_topics(topic, timeout=60).topics[topic].partitions)
        consumer.assign([TopicPartition(topic, part, 0) for part in parts])
        found, open_ = [], set(parts)
        while open_:
            message = consumer.poll(60)
            assert message is not None, f"{topic} cannot be read"
            error = message.error()
            if error is None:
                found.append(message)
            else:
                assert error.code() == KafkaError._PARTITION_EOF
                open_.discard(message.partition())
        return found
    finally:
        consumer.close()
