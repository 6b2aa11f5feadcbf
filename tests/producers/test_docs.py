"""The examples of docs/sending-events.md do what they say, as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.ingest import decode_ingest
from tests.pipeline import ROOT, Pipeline, running

Reading = Callable[[Settings, str], list[tuple[int, bytes, bytes]]]
PAGE = (ROOT / "docs" / "sending-events.md").read_text("utf-8")
#: (language, code), in the order of the page.
EXAMPLES = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = {
    "python": [sys.executable, "-c"],
    "sh": ["bash", "-euo", "pipefail", "-c"],
    "js": ["node", "--input-type=module", "-e"],
}


@pytest.fixture(scope="module")
def served(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("docs")
    with running(kafka_servers, "http://127.0.0.1:9", logs, "gateway") as pipeline:
        yield pipeline


def run(pipeline: Pipeline, language: str, code: str) -> None:
    """With the addresses of the tests in the place of those that `make up` has."""
    for there, here in (
        ("http://127.0.0.1:18080", pipeline.gateway_url),
        ("127.0.0.1:19092", pipeline.settings.kafka.bootstrap_servers),
        ("touchline.ingest", f"{pipeline.settings.topics.prefix}.ingest"),
    ):
        code = code.replace(there, here)
    tool = next((name for name in ("kcat", "curl", "node") if re.search(rf"\b{name}\b", code)), None)
    needed = "node" if language == "js" else tool
    if needed is not None and shutil.which(needed) is None:
        pytest.skip(f"{needed} is not installed")
    done = subprocess.run(
        [*COMMANDS[language], code],
        env={**os.environ, **pipeline.environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"refused":1' not in done.stdout
    if tool == "curl":
        assert '"accepted":' in done.stdout


def test_every_example_arrives(served: Pipeline, read_topic: Reading) -> None:
    assert [language for language, _ in EXAMPLES] == ["python", "sh", "sh", "js", "sh"]
    for language, code in EXAMPLES:
        run(served, language, code)
    names = topic_names(served.settings)
    found = {
        kind: [decode_ingest(kind, value) for _, _, value in read_topic(served.settings, names.ingest[kind])]
        for kind in Kind
    }
    said = [event["data"]["text"] for event in found[Kind.CHAT]]
    assert said[:4] == ["Here we go!", "What a save!", "one", "two"]
    assert {event["type"] for event in found[Kind.BROADCAST]} == {"kick_off", "goal"}
    assert len(found[Kind.LOCATION]) == 1
    assert "From kcat" in said or shutil.which("kcat") is None
