"""How many events a second the JavaScript client takes in Node.

    python -m bench.node_client [RATE …] [--runs 3]

It is sent an edge's frames, made before and written in ticks of 5 ms, as a busy edge does. (With an edge
that is told of each event by itself, that edge is what is measured.) The sender has core 0, Node core 1.
Needs `make setup`; loopback only.
"""

import argparse
import asyncio
import contextlib
import json
import os
import time

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from bench.report.figures import sample
from consumers.protocol.messages import SUBPROTOCOL
from tests.web.test_javascript import ROOT, load_build

STREAM = "chat:bench"
PORT = 24303
SECONDS = 5
TICK_S = 0.005
WATCH = ROOT / "clients/js/tests/edge/watch.mjs"


def frames(rate: int) -> list[bytes]:
    """One for each tick, with all events that are due then; of about 200 bytes each."""
    each = round(rate * TICK_S)
    shown = {
        "type": "message",
        "sender": "ana",
        "server_ts": "2026-06-11T19:00:00.000Z",
        "data": {"text": "x" * 60},
    }

    def event(seq: int) -> str:
        return json.dumps(
            {"op": "event", "stream": STREAM, "seq": seq, "prev": seq - 1, "id": str(seq), **shown}
        )

    ticks = round(SECONDS / TICK_S)
    return ["\n".join(map(event, range(n * each + 1, (n + 1) * each + 1))).encode() for n in range(ticks)]


async def measure(node: str, rate: int) -> None:
    ready = frames(rate)
    count = round(rate * TICK_S) * len(ready)
    late = 0.0

    async def edge(client: ServerConnection) -> None:
        nonlocal late
        await client.send('{"op":"welcome","auth":"anonymous","heartbeat_ms":25000}')
        asked = json.loads(await client.recv())
        await client.send(json.dumps({"id": asked["id"], "op": "subscribed", "stream": STREAM, "seq": 0}))
        begun = time.monotonic()
        with contextlib.suppress(ConnectionClosed):  # it leaves when it has all
            for tick, frame in enumerate(ready):
                wait = begun + tick * TICK_S - time.monotonic()
                late = max(late, -wait)
                await asyncio.sleep(max(0.0, wait))
                await client.send(frame, text=True)

    options = {"subprotocols": [Subprotocol(SUBPROTOCOL)], "compression": None, "ping_interval": None}
    async with serve(edge, "127.0.0.1", PORT, **options):  # type: ignore[arg-type]
        command = ["taskset", "-c", "1", node, str(WATCH), f"ws://127.0.0.1:{PORT}", STREAM, "0", str(count)]
        watch = await asyncio.create_subprocess_exec(*command, "quiet", stdout=asyncio.subprocess.PIPE)
        said = json.loads((await watch.communicate())[0])
    taken, busy = said["seen"] / said["ms"] * 1000, said["cpu_ms"] / said["ms"]
    if said["ordered"]:
        sample("JavaScript taken", "client in Node", taken, rate)
        sample("JavaScript cpu", "client in Node", 100 * busy, rate)
    print(
        f"{rate:8,}/s offered, at most {late * 1000:.0f} ms late: {taken:8,.0f}/s taken,"
        f" {100 * busy:3.0f} % of a core, {'in order' if said['ordered'] else 'DISORDER'}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rates", metavar="RATE", type=int, nargs="*", default=[5000, 20_000, 50_000])
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    os.sched_setaffinity(0, {0})
    build = load_build()
    assert build.install()
    assert build.build_client()
    for _ in range(given.runs):
        for wanted in given.rates:
            asyncio.run(measure(str(build.NODE), wanted))


if __name__ == "__main__":
    main()
