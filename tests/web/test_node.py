"""The JavaScript client in a plain Node, with the WebSocket that Node has, against a real edge."""

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.bare import bare
from tests.consumers.edges import EPOCH, EdgeProcess, Fanout, edges
from tests.pipeline import eventually
from tests.web.test_javascript import ROOT, load_build

CLIENT = ROOT / "clients" / "js"
#: More events than a test writes: a program that watches for so many ends when it is ended.
FAR = 10**9


@pytest.fixture(scope="module")
def node() -> str:
    """Node, and the client as it is published: built."""
    build = load_build()
    if not build.install():
        pytest.skip("the npm packages could not be installed: is the registry in reach?")
    assert build.build_client(), "the client does not compile"
    return str(build.NODE)


class Watch:
    """clients/js/tests/edge/watch.mjs, and what it has said."""

    def __init__(self, node: str, url: str, stream: str, after: int, count: int) -> None:
        command = [node, str(CLIENT / "tests/edge/watch.mjs"), url, stream, str(after), str(count)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.said: list[dict[str, Any]] = []
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(json.loads(line))

    @property
    def seqs(self) -> list[int]:
        return [said["seq"] for said in list(self.said) if "seq" in said]

    @property
    def states(self) -> list[str]:
        return [said["status"] for said in list(self.said) if "status" in said]

    @property
    def gaps(self) -> list[dict[str, Any]]:
        return [said for said in list(self.said) if "gap" in said]

    def opened(self, edge: EdgeProcess) -> list[int]:
        """At which places of what was said a connection to this edge was there."""
        return [place for place, said in enumerate(list(self.said)) if said.get("opened") == edge.url]

    def closed(self, edge: EdgeProcess) -> list[int]:
        """At which places of what was said a connection to this edge went."""
        return [place for place, said in enumerate(list(self.said)) if said.get("closed") == edge.url]

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self._reading.join()
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_an_edge_that_is_killed_costs_a_node_program_nothing(
    node: str, kafka_servers: str, tmp_path: Path
) -> None:
    with (
        edges(kafka_servers, tmp_path) as (fanout, (edge,)),
        Watch(node, edge.url, "chat:node", EPOCH - 1, 300) as watch,
    ):
        fanout.write("chat:node", 100)
        eventually("the first hundred", lambda: len(watch.seqs) >= 100)
        edge.kill()
        fanout.write("chat:node", 100)
        eventually("it waits for the edge", lambda: "waiting" in watch.states)
        edge.restart()
        fanout.write("chat:node", 100)
        assert watch.process.wait(120) == 0
        assert watch.seqs == fanout.written["chat:node"]
        assert not watch.gaps


@contextlib.contextmanager
def flowing(fanout: Fanout, stream: str) -> Iterator[None]:
    """Events come all the time meanwhile."""
    enough = threading.Event()

    def write() -> None:
        while not enough.wait(0.005):
            fanout.write(stream, 2)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        yield
    finally:
        enough.set()
        writing.join()


def has(watch: Watch, count: int) -> bool:
    return len(watch.seqs) >= count


def drain_by_command(edge: EdgeProcess) -> None:
    command = [sys.executable, "-m", "touchline", "edge", "drain", "--url", edge.http]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)


def drain_by_signal(edge: EdgeProcess) -> None:
    edge.process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("drain", [drain_by_command, drain_by_signal])
def test_an_edge_that_is_drained_while_events_flow_costs_a_node_program_nothing(
    node: str, kafka_servers: str, tmp_path: Path, drain: Callable[[EdgeProcess], None]
) -> None:
    stream = "chat:drained"
    with (
        # It drains until nobody is there: the time is for a machine that does much else.
        edges(kafka_servers, tmp_path, 2, drain_s=60, reconnect_jitter_ms=100) as (fanout, (old, new)),
        Watch(node, f"{old.url},{new.url}", stream, EPOCH - 1, FAR) as watch,
    ):
        with flowing(fanout, stream):
            eventually("events come", lambda: len(watch.seqs) > 20)
            drain(old)
            assert old.process.wait(120) == 0
            there = len(watch.seqs)
            eventually("they come from the other edge", lambda: len(watch.seqs) > there + 50)
        written = fanout.written[stream]
        eventually("all came", partial(has, watch, len(written)))
        assert watch.seqs == written
        assert not watch.gaps
        assert set(watch.states) == {"live"}, "nobody waited"
        assert watch.opened(new)[0] < watch.closed(old)[0], "the new connection is there before the old goes"


async def owners(edge: EdgeProcess, streams: Sequence[str]) -> dict[str, str]:
    """Which edge serves each of these streams, as this edge says; empty: it cannot say yet."""
    found: dict[str, str] = {}
    async with bare(edge.url) as (client, _), asyncio.timeout(60):
        for number, stream in enumerate(streams, 1):
            await client.say(op="subscribe", id=number, stream=stream)
            while (line := await client.any())["op"] not in {"subscribed", "redirect", "error"}:
                pass
            found[stream] = "" if line["op"] == "error" else line.get("url", edge.url)
    return found


def test_streams_that_move_between_the_edges_of_a_cell_are_followed_by_a_node_program(
    node: str, kafka_servers: str, tmp_path: Path
) -> None:
    """Who asks the wrong edge is redirected at once; and later, when streams move while they are watched."""
    given = {"cell": f"cell-{random.randrange(10**9)}", "reconnect_jitter_ms": 100, "drain_s": 1}
    streams = [f"chat:cell-{number}" for number in range(8)]
    with edges(kafka_servers, tmp_path, 2, **given) as (fanout, (first, second)):

        def shared() -> dict[str, str] | None:
            """A stream of each edge, by the edge's address."""
            by_edge = {url: stream for stream, url in asyncio.run(owners(first, streams)).items()}
            return by_edge if set(by_edge) == {first.url, second.url} else None

        one, two = eventually("both edges serve streams", shared).values()
        # Both programs ask the first edge: one of them is sent on.
        with (
            Watch(node, first.url, one, EPOCH - 1, FAR) as watch_one,
            Watch(node, first.url, two, EPOCH - 1, FAR) as watch_two,
        ):
            watches = {one: watch_one, two: watch_two}

            def all_get_more() -> None:
                wanted = {stream: len(watch.seqs) + 50 for stream, watch in watches.items()}
                for stream, watch in watches.items():
                    eventually(f"{stream} goes on", partial(has, watch, wanted[stream]))

            def times_at_second() -> int:
                return sum(len(watch.opened(second)) for watch in watches.values())

            with flowing(fanout, one), flowing(fanout, two):
                all_get_more()
                # A cell whose edges halt may share its streams out anew by itself: then it is followed, too.
                before = times_at_second()
                assert before >= 1
                assert second.kill(signal.SIGTERM) == 0
                all_get_more()
                second.restart()
                eventually("a stream that moves back is followed", lambda: times_at_second() > before)
                all_get_more()
            for stream, watch in watches.items():
                written = fanout.written[stream]
                eventually(f"all of {stream} came", partial(has, watch, len(written)))
                assert watch.seqs == written
                assert not watch.gaps


def test_a_client_on_ws_from_the_protocol_alone_sees_each_event_once(
    node: str, kafka_servers: str, tmp_path: Path
) -> None:
    with edges(kafka_servers, tmp_path) as (fanout, (edge,)):
        written = fanout.write("chat:ws", 50)
        command = [node, str(CLIENT / "tests/edge/bare.mjs"), edge.url, "chat:ws", str(EPOCH - 1), "60"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
            assert program.stdout is not None
            subscribed = json.loads(program.stdout.readline())
            assert (subscribed["op"], subscribed["recovered"]) == ("subscribed", True)
            written = [*written, *fanout.write("chat:ws", 10)]
            seqs = [json.loads(line)["seq"] for line in program.stdout]
        assert program.returncode == 0
        assert seqs == written
