"""State of many entities: what it costs an edge to start, to hold and to look up, and ways to do it.

    python -m bench.entity [--channels 1000000] [WAY…]

Ways: edge lookups worker rocksdb change memory http.

Starts a Kafka of its own, fills `touchline.channels` with channels that have settings, and measures each way
in a process of its own. `edge` is the role as it ships; `lookups` and `change` the table on disk, `worker`
the same with a worker's lists, `rocksdb` with the other store; `memory` all records decoded in a dict, as it
was; `http` a look-up at the owner.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from bench.report.figures import sample
from control.channels.channel import ChannelRecord, to_avro
from control.channels.channel import Settings as ChannelSettings
from embedded.backends.servers import Servers
from embedded.ports import find_free
from kernel.clock import SystemClock
from kernel.log.kafka import apply_topics
from kernel.log.topics import topic_names, topics
from kernel.settings.reading import Settings, as_environment, load_settings
from schemas.registry import codec_for

WAYS = ("edge", "lookups", "worker", "rocksdb", "change", "memory", "http")
CLOCK = SystemClock()


def rss_mb(pid: int | str = "self", field: str = "VmRSS") -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def cpu_s(pid: int | str = "self") -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def fill(settings: Settings, channels: int) -> None:
    """Channels that each have settings, at random places of the log."""
    codec, topic = codec_for(settings, "channel"), topic_names(settings).channels
    producer = Producer(
        {
            "bootstrap.servers": settings.kafka.bootstrap_servers,
            "partitioner": "murmur2_random",
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    order = list(range(channels))
    random.Random(1).shuffle(order)
    for number in order:
        name = f"channel-{number}"
        record = ChannelRecord(
            channel=name,
            revision=1,
            settings=ChannelSettings(slow_s=5.0, max_text=500, blocked=("spoiler", "leak")),
        )
        producer.produce(topic, codec.encode(to_avro(record)), name)
        producer.poll(0)
    assert producer.flush(120) == 0


def _ready(port: int, process: subprocess.Popen[bytes]) -> float:
    began = time.monotonic()
    while True:
        assert process.poll() is None, "the edge has ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return time.monotonic() - began
        except OSError:
            pass
        time.sleep(0.05)


def _start(role: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "touchline", role], env=environment)


def _size(settings: Settings) -> int:
    files = Path(settings.state.dir).rglob("bench-0.*")
    inside = (f for each in files for f in (each.rglob("*") if each.is_dir() else [each]))
    return sum(f.stat().st_size for f in inside)


def edge(settings: Settings, again: bool) -> dict[str, Any]:
    """Start the role, wait until it is ready, look at what it holds."""
    port = find_free()
    given = {**os.environ, **as_environment(settings), "TOUCHLINE_EDGE_PORT": str(port)}
    process = _start("edge", given)
    try:
        seconds = _ready(port, process)
        return {
            "table": "there" if again else "none",
            "ready_s": round(seconds, 1),
            "cpu_s": round(cpu_s(process.pid), 1),
            "rss_mb": round(rss_mb(process.pid)),
            "peak_mb": round(rss_mb(process.pid, "VmHWM")),
        }
    finally:
        process.terminate()
        process.wait(30)


def _quantiles(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=1000, method="inclusive")
    return {"p50_ms": round(cuts[499] * 1000, 3), "p99_ms": round(cuts[989] * 1000, 3),
            "max_ms": round(max(seconds) * 1000, 2)}  # fmt: skip


async def lookups(settings: Settings, channels: int, listing: int = 0) -> dict[str, Any]:
    """Channels that nobody has asked for before, one after the other."""
    from control.state import ControlState

    shutil.rmtree(settings.state.dir, ignore_errors=True)
    ready, used = asyncio.Event(), cpu_s()
    state, on_disk = ControlState.on_disk(settings, CLOCK, "bench", listing=listing, on_failed=print)
    state.on_known.append(ready.set)
    state.caught_up()
    before, began = rss_mb(), time.monotonic()
    on_disk.start()
    await ready.wait()
    took, held = time.monotonic() - began, rss_mb() - before
    used = cpu_s() - used
    rng, seconds = random.Random(2), []
    for number in rng.sample(range(channels), min(20_000, channels)):
        at = time.perf_counter()
        record = state.channel(f"channel-{number}")
        seconds.append(time.perf_counter() - at)
        assert record.settings.slow_s == 5.0
    size = _size(settings)
    await on_disk.stop()
    return {"filled_s": round(took, 1), "cpu_s": round(used, 1), "held_mb": round(held),
            "file_mb": size >> 20, **_quantiles(seconds)}  # fmt: skip


async def change(settings: Settings, channels: int) -> dict[str, Any]:
    """From a command's confirmation until who watches the channel has the new settings, a worker between."""
    from control.commands.sending import CommandSender
    from control.state import ControlState

    port = find_free()
    given = {**os.environ, **as_environment(settings), "TOUCHLINE_STREAM_PORT": str(port)}
    process = _start("stream", given)
    ready = asyncio.Event()
    state, on_disk = ControlState.on_disk(settings, CLOCK, "bench", on_failed=print)
    state.on_known.append(ready.set)
    state.caught_up()
    on_disk.start()
    try:
        worker_s = await asyncio.to_thread(_ready, port, process)
        await ready.wait()
        sender, seconds = CommandSender(settings, CLOCK), []
        for number in random.Random(3).sample(range(channels), 60):
            name = f"channel-{number}"
            heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            state.channels.view.watch(name, lambda *_, heard=heard: heard.done() or heard.set_result(None))  # type: ignore[union-attr]
            await sender.send(name, "set_channel", {"max_text": 100})
            began = time.perf_counter()
            await asyncio.wait_for(heard, 30)
            seconds.append(time.perf_counter() - began)
        return {"worker_ready_s": round(worker_s, 1), **_quantiles(seconds)}
    finally:
        process.terminate()
        process.wait(30)
        await on_disk.stop()


def memory(settings: Settings) -> dict[str, Any]:
    """All records decoded in a dict."""
    from control.topic_tables.snapshot import read_channels

    before, began = rss_mb(), time.monotonic()
    registry = read_channels(settings, CLOCK)
    return {"read_s": round(time.monotonic() - began, 1), "cpu_s": round(cpu_s(), 1),
            "held_mb": round(rss_mb() - before), "channels": sum(1 for _ in registry)}  # fmt: skip


async def worker(settings: Settings, channels: int) -> dict[str, Any]:
    """What a worker fills, who keeps a list of channels that are spread."""
    from control.channels.lists import SPREAD

    return await lookups(settings, channels, SPREAD)


async def rocksdb(settings: Settings, channels: int) -> dict[str, Any]:
    """The same in the other store."""
    import msgspec

    state = msgspec.structs.replace(settings.state, store="rocksdb")
    return await lookups(msgspec.structs.replace(settings, state=state), channels)


async def http(settings: Settings, channels: int) -> dict[str, Any]:
    """Each look-up is a request to the process that has the state (here: in the same table, warm)."""
    from aiohttp import web

    from control.state import ControlState

    ready, port = asyncio.Event(), find_free()
    state, on_disk = ControlState.on_disk(settings, CLOCK, "bench", on_failed=print)
    state.on_known.append(ready.set)
    state.caught_up()
    on_disk.start()
    await ready.wait()

    async def show(request: web.Request) -> web.Response:
        import msgspec

        return web.Response(body=msgspec.json.encode(state.channel(request.match_info["name"])),
                            content_type="application/json")  # fmt: skip

    app = web.Application()
    app.add_routes([web.get("/{name}", show)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _CLIENT, str(port), str(channels), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await client.communicate()
    await runner.cleanup()
    await on_disk.stop()
    return dict(json.loads(out))


_CLIENT = """
import asyncio, json, random, sys, time
from aiohttp import ClientSession
from bench.entity import _quantiles
async def main():
    seconds = []
    async with ClientSession() as session:
        for number in random.Random(2).sample(range(int(sys.argv[2])), 5000):
            at = time.perf_counter()
            async with session.get(f"http://127.0.0.1:{sys.argv[1]}/channel-{number}") as answer:
                await answer.json()
            seconds.append(time.perf_counter() - at)
    print(json.dumps(_quantiles(seconds)))
asyncio.run(main())
"""


def measure(way: str, settings: Settings, channels: int) -> Any:
    """In this process."""
    if way == "memory":
        return memory(settings)
    ways = {"lookups": lookups, "worker": worker, "rocksdb": rocksdb,
            "change": change, "http": http}  # fmt: skip
    return asyncio.run(ways[way](settings, channels))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("ways", nargs="*", default=list(WAYS))
    parser.add_argument("--channels", type=int, default=1_000_000)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(measure(given.inside, load_settings(), given.channels)), flush=True)
        return
    home = Path(tempfile.mkdtemp(prefix="touchline-bench-entity-"))
    home.chmod(0o711)
    try:
        run(home, given.ways, given.channels)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def run(home: Path, ways: list[str], channels: int) -> None:
    servers_dir = load_settings().embedded.servers_dir or str(Path(".touchline/servers").resolve())
    with Servers(home / "data", servers_dir=Path(servers_dir), with_elasticsearch=False) as servers:
        settings = load_settings(
            {
                "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
                "TOUCHLINE_STATE_DIR": str(home / "state"),
                "TOUCHLINE_LOG_LEVEL": "error",
            }
        )
        apply_topics(settings, topics(settings))
        bare: dict[str, Any] = {}
        if "edge" in ways:
            edge(settings, again=False)  # brokers and files are warm from here on
            bare = edge(settings, again=True)
            print("edge, no channels", json.dumps(bare), flush=True)
        began = time.monotonic()
        fill(settings, channels)
        print(f"{channels} channels written in {time.monotonic() - began:.0f} s", flush=True)
        if "edge" in ways:
            shutil.rmtree(home / "state", ignore_errors=True)
            for again in (False, True):
                found = edge(settings, again)
                print(f"edge, {channels} channels", json.dumps(found), flush=True)
                who = "touchline, its file there" if again else "touchline, first start"
                sample("channels start", who, found["ready_s"] - bare["ready_s"])
                sample("channels held", who, max(0, found["rss_mb"] - bare["rss_mb"]))
        for way in ways:
            if way == "edge":
                continue
            environment = {**os.environ, **as_environment(settings)}
            command = [sys.executable, "-m", "bench.entity", "--inside", way, "--channels", str(channels)]
            out = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
            print(way, out.stdout.strip() or f"failed ({out.returncode})", flush=True)
            if out.returncode == 0:
                keep(way, json.loads(out.stdout.splitlines()[-1]))


#: Ways, as the page names them.
WHO = {
    "lookups": "touchline",
    "worker": "touchline, a worker",
    "rocksdb": "touchline, in RocksDB",
    "memory": "all decoded in a dict",
    "http": "HTTP to the owner",
    "change": "touchline",
}


def keep(way: str, found: dict[str, Any]) -> None:
    """What `python -m bench` collects."""
    who = WHO[way]
    if way == "change":
        sample("channels change", who, found["max_ms"] / 1000)
        return
    if (filled := found.get("filled_s", found.get("read_s"))) is not None:
        sample("channels filled", who, filled)
        sample("channels copy", who, found["held_mb"])
    if "p99_ms" in found:
        sample("channels look-up", who, found["p99_ms"])


if __name__ == "__main__":
    main()
