"""A worker that owns notes and nothing else, as a process that a test may kill: `python -m … NAME`."""

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from control.entity.owner import Owner
from control.entity.tables import Tables
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.cluster import Cluster
from kernel.log.kafka import client_config
from kernel.log.records import Partition, Record, Write
from kernel.settings.reading import Settings, load_settings
from streams.app import make_app
from streams.transport.batch import PartitionBatch
from streams.transport.sink import Sink
from tests.control.notes import decode_command, note_fold, note_type, route_to


class Work:
    """What a worker does for owners: tells them what is theirs, and hands them inputs."""

    def __init__(self, settings: Settings, tables: Tables, sink: Sink) -> None:
        prefix = settings.topics.prefix
        self.inputs, self._refused, self._states = (
            f"{prefix}.inputs",
            f"{prefix}.refused",
            f"{prefix}.notes",
        )
        self._cluster, self._sink = Cluster(settings), sink
        fold = note_fold(note_type(self._states))
        self.owner = Owner(
            self.inputs, tables, decode=decode_command, route=route_to(fold), refuse=self._refuse
        )
        self._type = fold.type
        tables.view(fold.type).on_stale = self._write_again

    async def opening(self, starts: Mapping[Partition, int]) -> Mapping[Partition, int]:
        topics = await asyncio.to_thread(self._cluster.describe, [self.inputs, self._states])
        await self._sink.learn([self.inputs, self._states])
        await self.owner.opening(
            [place.partition for place in starts],
            topic_id=topics[self.inputs].topic_id,
            inputs=topics[self.inputs].partitions,
            partitions={self._states: topics[self._states].partitions},
        )
        sys.stdout.write(f"opened {sorted(place.partition for place in starts)}\n")
        sys.stdout.flush()
        return {place: max(0, start) for place, start in starts.items()}

    async def closing(self) -> None:
        pass

    def fold(self, parts: list[PartitionBatch]) -> list[Write]:
        return [write for place, records in parts for write in self.owner.fold(place, records)]

    def _refuse(self, place: Partition, record: Record, _: Any, error: TouchlineError) -> list[Write]:
        return [Write(self._refused, f"{error.code}: {error.message}".encode(), record.key, -1)]

    def _write_again(self, key: bytes, known: Any) -> None:
        self._sink.write_apart(self.owner.rewrite(self._type, key, known))


async def main(name: str) -> None:
    settings = load_settings()
    sink = Sink(client_config(settings), linger_ms=1, clock=SystemClock())
    failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(error: BaseException) -> None:
        if not failed.done():
            failed.set_exception(error)

    type_ = note_type(f"{settings.topics.prefix}.notes")
    tables = Tables(settings, f"owner-{name}", [type_], clock=SystemClock(), on_failed=fail)
    work = Work(settings, tables, sink)
    tables.start()
    app = make_app(settings, SystemClock(), work, sink, frozenset({work.inputs}))
    app.finalize()
    await app.start()
    await asyncio.wait({failed, app.fatal}, return_when=asyncio.FIRST_COMPLETED)
    for ended in (failed, app.fatal):
        if ended.done():
            traceback.print_exception(ended.exception())
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)  # as the role does: Faust's tasks may hang when they are cancelled


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
