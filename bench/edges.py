"""How many deliveries a second one edge makes, and what each costs, with its peers beside it in the same run.

- `python -m bench.edges direct`: one event a write; bare epoll server, the edge, and other WebSocket servers
- `python -m bench.edges kafka`: from Kafka, beside the bare server and the least that a Python edge could do
- `python -m bench.edges memory`: what a viewer costs, over the number of viewers
- `python -m bench.edges crowd`: 10,000 viewers, one event
- `python -m bench.edges comeback`: the edge is killed, and 10,000 viewers come back at once with cursors

Edges ask for a token. All but `direct` need a Kafka (TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS).
"""

import argparse
import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Final, NamedTuple, TextIO

from bench.peers import centrifugo, installing
from bench.report.figures import sample
from bench.rig.edge_alone import STREAM
from bench.rig.edge_on_kafka import (
    PYTHON,
    SECRET,
    SIZE,
    Server,
    kafka_bare,
    kafka_centrifugo,
    kafka_edge,
    kafka_peer,
    publisher,
    publishing,
    token_path,
    wait_ready,
)
from bench.rig.generator import (
    BINARIES,
    CONTROL,
    PORT,
    SUBSCRIBE,
    Load,
    build,
    listening,
    load,
    memory,
    running,
    show,
)

BARE: Final = "bare (Rust, epoll)"
EDGE: Final = "edge"
BROADCAST: Final = "websockets.broadcast"


class Peer(NamedTuple):
    """A server under test: how it is started, where its viewers connect, and what they say first."""

    command: tuple[str, ...]
    path: str = "/"
    asks: tuple[str, ...] = ()


def direct_peers() -> dict[str, Peer]:
    """All that can be had here; the bare server, with which the others are compared, comes first."""
    found = {
        BARE: Peer((str(BINARIES / "rawfan"),), "/ch/0"),
        EDGE: Peer((*PYTHON, "bench.rig.edge_alone", "--secret", SECRET), token_path(), tuple(SUBSCRIBE)),
        BROADCAST: Peer((*PYTHON, "bench.peers.fan_out", "broadcast")),
    }
    if "picows" not in installing.absent():
        found["picows"] = Peer((*PYTHON, "bench.peers.fan_out", "picows"))
    if "Socket.IO and ws" not in installing.absent():
        script = (str(installing.node()), str(installing.ROOT / "bench" / "peers" / "fan_out.mjs"))
        modules = ("--modules", str(installing.node_modules()))
        hello = ("--first-frame", "40", "--ready-match", '40{"sid"')
        found["ws (Node)"] = Peer((*script, "ws", *modules))
        found["Socket.IO"] = Peer(
            (*script, "socket.io", *modules), "/socket.io/?EIO=4&transport=websocket", hello
        )
    return found


def direct(viewers: int, rates: list[float], seconds: float, runs: int) -> None:
    """One event a write, at each rate; the servers in turn, so that a busy machine is busy for all."""
    for _ in range(runs):
        for name, peer in direct_peers().items():
            with running(0, *peer.command, "--port", str(PORT), "--ctl", str(CONTROL)) as server:
                control = listening(CONTROL)
                listening(PORT).close()
                with load(viewers, (server.pid,), peer.path, *peer.asks) as generator:
                    generator.ready(viewers)
                    for rate in rates:
                        generator.say("poll 5")
                        generator.say("reset")
                        start = time.time_ns() + 50_000_000
                        control.sendall(f"pub {rate / viewers} {seconds} 0 {SIZE} 1 {start}\n".encode())
                        with control.makefile() as answers:
                            count = int(answers.readline().split()[1])
                        report = generator.wait_for(count * viewers)
                        wanted = count * viewers
                        show("direct", name, viewers, rate, seconds=seconds, report=report, wanted=wanted)
                control.close()
            time.sleep(0.2)


def memory_over(viewers: list[int], runs: int) -> None:
    """What a server holds with so many viewers of one stream, each watching, none talking."""
    for _ in range(runs):
        for name, peer in direct_peers().items():
            if name == EDGE:
                with kafka_edge() as server:
                    _grow(name, server.process, peer.path, peer.asks, viewers)
                continue
            with running(0, *peer.command, "--port", str(PORT), "--ctl", str(CONTROL)) as process:
                listening(CONTROL).close()
                listening(PORT).close()
                _grow(name, process, peer.path, peer.asks, viewers)


def _grow(
    name: str, server: subprocess.Popen[str], path: str, asks: tuple[str, ...], viewers: list[int]
) -> None:
    before, there = memory(server.pid), 0
    with contextlib.ExitStack() as stack:
        for wanted in viewers:
            generator = stack.enter_context(load(wanted - there, (server.pid,), path, *asks))
            generator.ready(wanted - there)
            there = wanted
            held = memory(server.pid) - before
            sample("memory", name, held / 1e6, wanted)
            sample("memory each", name, held / wanted / 1024, wanted)
            print(
                f"{name:22} {wanted:6} viewers {held / 1e6:7.1f} MB, {held / wanted / 1024:5.1f} kB each",
                flush=True,
            )


def kafka_servers() -> dict[str, tuple[Callable[[], AbstractContextManager[Server]], Peer]]:
    """All that reads Kafka, and what its viewers say."""
    found = {
        BARE: (kafka_bare, Peer((), "/ch/0")),
        "prototype": (partial(kafka_peer, "prototype"), Peer(())),
        BROADCAST: (partial(kafka_peer, "broadcast"), Peer(())),
        EDGE: (kafka_edge, Peer((), token_path(), tuple(SUBSCRIBE))),
    }
    if "Centrifugo" not in installing.absent():
        found["Centrifugo"] = (kafka_centrifugo, Peer((), centrifugo.PATH, centrifugo.ASKS))
    return found


def warm_up(seconds: float) -> None:
    """A broker that was just started compiles its code, on the same cores: who comes first must not pay."""
    with (
        kafka_peer("prototype") as server,
        load(10, server.pids, "/") as generator,
        publishing(server.environment) as publish,
    ):
        generator.ready(10)
        publish(1600, seconds)


def from_kafka(viewers: int, rates: list[float], seconds: float, runs: int) -> None:
    """Records of a topic at each rate; the servers in turn."""
    for _ in range(runs):
        for name, (start, peer) in kafka_servers().items():
            with (
                start() as server,
                load(viewers, server.pids, peer.path, *peer.asks) as generator,
                publishing(server.environment) as publish,
            ):
                generator.ready(viewers)
                publish(20, 1)  # assignments settle, code is warm
                generator.wait_for(20 * viewers)
                for rate in rates:
                    count = int(rate / viewers * seconds)
                    generator.say("poll 0")
                    generator.say("reset")
                    publish(rate / viewers, seconds)
                    report, wanted = generator.wait_for(count * viewers), count * viewers
                    kind = "kafka" if viewers < 5000 else "many"
                    show(kind, name, viewers, rate, seconds=seconds, report=report, wanted=wanted)


def crowd(viewers: int, runs: int) -> None:
    """One event for everybody: when has the last one got it? The edge has it from Kafka, the others are told
    of it. One event before it, which does not count, shows all of them the way.
    """
    for _ in range(runs):
        with (
            kafka_edge() as server,
            load(viewers, server.pids, token_path(), *SUBSCRIBE) as generator,
            publishing(server.environment) as publish,
        ):
            _crowd(EDGE, viewers, generator, partial(publish, 1, 1))
        for name in (BARE, BROADCAST):
            peer = direct_peers()[name]
            with running(0, *peer.command, "--port", str(PORT), "--ctl", str(CONTROL)) as process:
                control = listening(CONTROL)
                listening(PORT).close()
                with control, control.makefile() as answers, load(
                    viewers, (process.pid,), peer.path, *peer.asks
                ) as generator:  # fmt: skip

                    def tell(to: socket.socket = control, answers: TextIO = answers) -> None:
                        to.sendall(f"pub 1 1 0 {SIZE} 1 {time.time_ns() + 50_000_000}\n".encode())
                        answers.readline()

                    _crowd(name, viewers, generator, tell)


def _crowd(name: str, viewers: int, generator: Load, tell: Callable[[], None]) -> None:
    took = generator.ready(viewers)
    tell()
    generator.wait_for(viewers)
    generator.say("reset")
    tell()
    report = generator.wait_for(viewers)
    if report["msgs"] == viewers:
        sample("crowd", name, report["maxlat"], viewers)
    print(
        f"{name:22} {report['msgs']} of {viewers} had it, the last after {report['maxlat']:.0f} ms"
        f" (connected in {took:.1f} s)",
        flush=True,
    )


def comeback(viewers: int, events: int = 100) -> None:
    """kill -9, start again, and everybody asks at once for what was missed."""
    with kafka_edge() as server:
        publisher(server.environment)(50, events / 50)
        server.process.kill()
        server.process.wait()
        killed = time.monotonic()
        with running(0, *PYTHON, "touchline", "edge", **server.environment) as again:
            listening(PORT).close()
            first = json.dumps({"op": "subscribe", "id": 1, "stream": STREAM, "after": 1})
            asks = ["--first-frame", first, "--ready-match", '"subscribed"', "--connect-rate", "10000"]
            wait_ready()
            ready = time.monotonic() - killed
            with load(viewers, (again.pid,), token_path(), *asks) as generator:
                generator.ready(viewers)
                report = generator.wait_for(viewers * events)
                seconds = time.monotonic() - killed
    complete = report["msgs"] == viewers * events and report["min"] == report["max"]
    if complete:
        sample("comeback", "edge", seconds, viewers)
    print(
        f"killed and started again: ready after {ready:.1f} s; {viewers} viewers have all {events} events"
        f" after {seconds:.1f} s, {'complete' if complete else 'INCOMPLETE'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["direct", "kafka", "memory", "crowd", "comeback"])
    parser.add_argument("--viewers", type=int, default=0, help="0: what the measurement is made for")
    parser.add_argument("--rates", default="", help="loads, with commas between; viewers for `memory`")
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--warm-up", type=float, default=10, metavar="SECONDS", help="of the broker, for `kafka`"
    )
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",") if rate]
    build()
    if given.what == "direct":
        direct(given.viewers or 1000, rates or [50e3, 100e3, 200e3, 600e3], given.seconds, given.runs)
    elif given.what == "kafka":
        if given.warm_up:
            warm_up(given.warm_up)
        loads = rates or [20e3, 50e3, 200e3, 800e3, 1.6e6]
        from_kafka(given.viewers or 1000, loads, given.seconds, given.runs)
    elif given.what == "memory":
        memory_over([int(rate) for rate in rates] or [1000, 2500, 5000, 10_000], given.runs)
    elif given.what == "comeback":
        for _ in range(given.runs):
            comeback(given.viewers or 10_000)
    else:
        crowd(given.viewers or 10_000, given.runs)


if __name__ == "__main__":
    main()
