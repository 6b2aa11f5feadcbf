"""docs/protocol.md §7.2: edges of a cell share the partitions, and send viewers to each other."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from consumers.client.viewer import Viewer
from tests.consumers.bare import bare
from tests.consumers.edges import EPOCH, edges

CHANNELS = [f"chat:match-{number}" for number in range(6)]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["leaves", "is killed"])
async def test_a_cell_shares_the_streams_and_nobody_misses_an_event_when_edges_come_and_go(
    kafka_servers: str, tmp_path: Path, how: signal.Signals
) -> None:
    """Streams of one that is killed wait until Kafka has noticed: for the brokers' session timeout."""
    given = {"cell": f"cell-{random.randrange(10**9)}", "reconnect_jitter_ms": 100, "drain_s": 1}
    with edges(kafka_servers, tmp_path, 2, **given) as (fanout, two):
        for channel in CHANNELS:
            fanout.write(channel, 1)
        urls = [edge.url for edge in two]
        seen: dict[tuple[str, int], list[int]] = {}

        async def watch(channel: str, number: int) -> None:
            got = seen[channel, number] = []
            async with Viewer(urls[number:] + urls[:number], seed=number) as viewer:
                async for event in viewer.stream(channel, after=EPOCH - 1):
                    got.append(event.seq)  # noqa: PERF401 - it is looked at while it grows

        tasks = [asyncio.create_task(watch(channel, n)) for channel in CHANNELS for n in range(2)]

        async def all_have(within: float = 150) -> None:
            async with asyncio.timeout(within):
                while any(seen.get((c, n)) != fanout.written[c] for c in CHANNELS for n in range(2)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

        await all_have()

        async def served_at() -> set[str]:
            async with bare(urls[0]) as (client, welcome):
                assert welcome["cell"] == given["cell"]
                for number, channel in enumerate(CHANNELS, 1):
                    await client.say(op="subscribe", id=number, stream=channel)
                answers = set()
                for _ in CHANNELS:
                    while (line := await client.any())["op"] not in {"subscribed", "redirect", "error"}:
                        pass
                    answers.add(line.get("url", line.get("code", "here")))
                return answers

        async with asyncio.timeout(60):  # the second may get its share only now
            while await served_at() != {"here", urls[1]}:  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await asyncio.to_thread(two[1].kill, how)
        for channel in CHANNELS:
            await asyncio.to_thread(fanout.write, channel, 5)
        await all_have()
        await asyncio.to_thread(two[1].restart)
        for channel in CHANNELS:
            await asyncio.to_thread(fanout.write, channel, 5)
        await all_have()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
