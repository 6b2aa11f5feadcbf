"""Tables beside batch topics, in RocksDB and with standbys: whoever takes over has the state already."""

import http.client
import json
import os
import secrets
import subprocess
import sys
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from embedded.ports import find_free
from tests.pipeline import ROOT, eventually

FAUST = [sys.executable, "-m", "faust", "-A", "tests.streams.faust_example:app"]


class Member:
    """A worker of the example, with a directory of its own for its tables."""

    def __init__(self, environment: dict[str, str], home: Path) -> None:
        self.port, self._home = find_free(), home
        home.mkdir()
        with (home / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*FAUST, "worker", "--web-port", str(self.port), "-l", "info"],
                env={**environment, "F_DATADIR": str(home)}, cwd=home, stdout=log, stderr=log,
            )  # fmt: skip

    def count(self, word: str) -> int:
        assert self.process.poll() is None, (self._home / "log").read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/count/{word}", timeout=60) as answer:
                return int(json.load(answer)["count"])
        except (OSError, http.client.HTTPException):  # not there, in the middle of a rebalance, or dying
            return -1

    def stores(self) -> int:
        """Partitions of the table that it has on disk, its own and as a standby."""
        return len(list(self._home.rglob("counts-*.db")))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def test_a_table_in_rocksdb_goes_on_at_its_standby_when_a_worker_is_killed(
    kafka_servers: str, tmp_path: Path
) -> None:
    name = f"tables-{secrets.token_hex(3)}"
    config: dict[str, Any] = {"bootstrap.servers": kafka_servers}
    admin, producer = AdminClient(config), Producer(config)
    for done in admin.create_topics(
        [NewTopic(f"{name}-{topic}", 2) for topic in ("posts", "words")]
    ).values():
        done.result(60)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "EXAMPLE_KAFKA": kafka_servers}
    environment |= {"EXAMPLE_NAME": name, "EXAMPLE_STORE": "rocksdb://", "EXAMPLE_STANDBYS": "1"}

    def post(count: int) -> None:
        for number in range(count):
            producer.produce(f"{name}-posts", b"goal save", str(number))
        assert producer.flush(60) == 0

    with ExitStack() as stack:
        one, other = (Member(environment, tmp_path / home) for home in ("one", "other"))
        stack.callback(one.kill)
        stack.callback(other.kill)

        def counted(wanted: int, *members: Member) -> bool:
            # A word is counted by the worker that has its partition; what was not committed at a kill again.
            return all(max(m.count(word) for m in members) >= wanted for word in ("goal", "save"))

        eventually("both are up", lambda: min(one.count("goal"), other.count("goal")) >= 0, within=120)
        post(300)
        eventually("all words are counted", lambda: counted(300, one, other), within=120)
        eventually("each has both partitions", lambda: one.stores() == other.stores() == 2, within=120)
        one.kill()
        post(200)
        eventually("the other goes on from where it was", lambda: counted(500, other), within=120)
