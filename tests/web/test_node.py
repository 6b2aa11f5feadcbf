"""The JavaScript client in a plain Node, with the WebSocket that Node has, against a real edge."""

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.consumers.edges import EPOCH, edges
from tests.pipeline import eventually
from tests.web.test_javascript import ROOT, load_build

CLIENT = ROOT / "clients" / "js"


@pytest.fixture(scope="module")
def node() -> str:
    """Node, and the client as it is published: built."""
    build = load_build()
    if not (build.install() and build.build_client()):
        pytest.skip("the client could not be built: is the npm registry in reach?")
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
        assert watch.process.wait(60) == 0
        assert watch.seqs == fanout.written["chat:node"]
        assert not [said for said in watch.said if "gap" in said]


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
