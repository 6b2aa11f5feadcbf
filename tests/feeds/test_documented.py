"""What docs/feeds.md shows is run: curl and Python, and the command line beside them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.examples import example
from tests.pipeline import ROOT, Pipeline


def here(text: str, pipeline: Pipeline) -> str:
    """An example, for the pipeline of the tests."""
    edge = "ws://127.0.0.1:18081/v1/ws"
    return text.replace("http://127.0.0.1:18080", pipeline.gateway_url).replace(edge, pipeline.edge_url)


def test_curl_python_and_the_command_line(feeding: Pipeline, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = here(example("feeds.md", "bash"), feeding)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=240)
    by = ("--user", "ana")
    assert [row["channel"] for row in feeding.lines("follow", *by)] == ["wc26-final"]
    assert feeding.lines("follow", "wc26-final", "--count", *by)[0]["followers"] == 1
    (event,) = feeding.lines("feed", *by)
    assert event["data"] == {"text": "The line-up is out"}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", here(example("feeds.md", "python"), feeding)],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
        env=environment,
    )
    assert done.stdout.splitlines() == ["broadcast:wc26-final post", "{'text': 'The line-up is out'}"]
    assert "not followed" in feeding.run("follow", "wc26-final", "--off", *by).stdout
