"""Over the batch transport Faust stays Faust: its command, its ordinary agents, tables and web."""

import json
import os
import secrets
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from embedded.ports import find_free
from tests.pipeline import ROOT, eventually

FAUST = [sys.executable, "-m", "faust", "-A", "tests.streams.faust_example:app"]


def test_the_faust_command_agents_tables_and_web_are_as_ever(kafka_servers: str, tmp_path: Path) -> None:
    name, port = f"example-{secrets.token_hex(3)}", find_free()
    admin = AdminClient({"bootstrap.servers": kafka_servers})
    topics = [NewTopic(f"{name}-{topic}", 2) for topic in ("posts", "words")]
    for done in admin.create_topics(topics).values():
        done.result(60)
    environment = {
        **os.environ,
        "EXAMPLE_KAFKA": kafka_servers,
        "EXAMPLE_NAME": name,
        "PYTHONPATH": str(ROOT),
    }
    environment["F_DATADIR"] = str(tmp_path)

    def faust(*arguments: str) -> str:
        done = subprocess.run(
            [*FAUST, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert {"split", "count"} <= {
        agent["name"].lstrip("@") for agent in json.loads(faust("--json", "agents"))
    }
    assert "counts" in faust("tables")

    producer = Producer({"bootstrap.servers": kafka_servers})
    for number in range(300):
        producer.produce(f"{name}-posts", b"goal goal save" if number % 3 else b"goal", str(number))
    assert producer.flush(60) == 0
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [*FAUST, "worker", "--web-port", str(port), "-l", "info"],
            env=environment, cwd=tmp_path, stdout=log, stderr=log,
        )  # fmt: skip
    try:

        def counted(word: str, wanted: int) -> bool:
            assert worker.poll() is None, (tmp_path / "worker.log").read_text()[-3000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/count/{word}", timeout=60) as answer:
                    return bool(json.load(answer)["count"] == wanted)
            except (urllib.error.URLError, ConnectionError):
                return False

        eventually("all words are counted", lambda: counted("goal", 500) and counted("save", 200), within=120)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(90) == 0
    finally:
        if worker.poll() is None:
            worker.kill()
            worker.wait()
