"""Workers agree on the epochs of the ingest topics before any of them judges: one writes, the others wait."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from control.channels.epochs import Epoch, advance
from control.channels.table import ChannelTable
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.cluster import Cluster
from kernel.process.logs import get_logger
from streams.transport.sink import Sink

_log = get_logger("touchline.stream")
#: How long a worker waits for the one that writes the epochs.
_EPOCHS_S: Final = 30.0


async def agree_on_epochs(
    cluster: Cluster, registry: ChannelTable, topics: Sequence[str], clock: Clock, sink: Sink | None
) -> Mapping[str, list[Epoch]]:
    """The epochs, as the registry has them. Who has the first control partition writes new ones (`sink`).

    Raises `unavailable` where nobody does.
    """
    deadline = clock.monotonic() + _EPOCHS_S
    while True:
        actual = await asyncio.to_thread(cluster.describe, topics)
        known = registry.epochs
        wanted = {
            topic: advance(
                known.get(topic, ()), topic_id=now.topic_id, partitions=now.partitions, ends=now.ends
            )
            for topic, now in actual.items()
        }
        if wanted == {topic: list(known.get(topic, ())) for topic in wanted}:
            return wanted
        if sink is not None:
            _log.info("an epoch begins", epochs={t: e[-1].number for t, e in wanted.items()})
            sink.write_apart(registry.write_epochs(wanted))
            await sink.barrier()
            return wanted
        if clock.monotonic() > deadline:
            raise TouchlineError("unavailable", "No worker has written the epochs of the ingest topics.")
        await asyncio.sleep(0.1)
