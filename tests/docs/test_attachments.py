"""What docs/attachments.md shows is run: curl, Python and JavaScript, on a gateway without keys."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import example
from tests.pipeline import Pipeline, running
from tests.web.test_node import CLIENT, node

__all__ = ["node"]
NO_ELASTICSEARCH = "http://127.0.0.1:9"
PICTURE = b"\x89PNG\r\n\x1a\n" + os.urandom(50_000)


@pytest.fixture(scope="module")
def open_(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs = tmp_path_factory.mktemp("documented")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "gateway") as pipeline:
        yield pipeline


def test_with_curl(open_: Pipeline, tmp_path: Path) -> None:
    if not (shutil.which("curl") and shutil.which("jq")):
        pytest.skip("curl and jq are not here")
    (tmp_path / "goal.png").write_bytes(PICTURE)
    script = example("attachments.md", "bash").replace("http://127.0.0.1:18080", open_.gateway_url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=240)
    assert (tmp_path / "copy.png").read_bytes() == PICTURE


def test_in_python(open_: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goal.png").write_bytes(PICTURE)
    space: dict[str, Any] = {}
    exec(example("attachments.md", "python"), space)  # noqa: S102 - it is ours
    assert asyncio.run(space["share"](open_.gateway_url)) == PICTURE


def test_in_javascript(open_: Pipeline, node: str, tmp_path: Path) -> None:
    program = example("attachments.md", "js").replace("http://127.0.0.1:18080", open_.gateway_url)
    program = program.replace('"@touchline/client"', f'"{(CLIENT / "dist" / "index.js").as_uri()}"')
    imported, _, rest = program.partition("\n\n")
    around = f"""{imported}
const file = new Blob(["a goal"], {{ type: "image/png" }});
const client = {{ publish: (stream, data) => fetch(
  `{open_.gateway_url}/v1/streams/${{stream.replace(":", "/")}}/events?wait=accepted`,
  {{ method: "POST", headers: {{ "Content-Type": "application/json", "Touchline-User": "ana" }},
    body: JSON.stringify({{ data }}) }}) }};
{rest}
console.log("GOT " + await (await fetch(url)).text() + " " + name);
"""
    (tmp_path / "example.mjs").write_text(around)
    done = subprocess.run(
        [node, tmp_path / "example.mjs"], capture_output=True, text=True, timeout=240, check=True
    )
    assert "GOT a goal file" in done.stdout
