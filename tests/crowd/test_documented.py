"""What docs/crowd.md shows is run: curl and Python, and the command line beside them."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import example
from tests.pipeline import Pipeline

pytestmark = pytest.mark.servers


def test_with_curl_and_the_command_line(crowded: Pipeline, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = example("crowd.md", "bash").replace("http://127.0.0.1:18080", crowded.gateway_url)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=240, capture_output=True
    )
    assert '"counts": [0, 1]' in done.stdout.decode()
    stream = "chat:stand"
    assert crowded.lines("react", stream)[0]["totals"] == {"👏": 4, ":goal:": 1}
    assert crowded.lines("react", stream, "👏", "-n", "2", "--user", "ana")[0]["totals"]["👏"] == 6
    poll = crowded.lines("poll", "ask", stream, "Who wins?", "home", "away")[0]["poll"]
    assert crowded.lines("poll", "vote", stream, poll, "0", "--user", "ana") == [{"poll": poll, "option": 0}]
    assert "0  home  1  (you)" in crowded.run("poll", "show", stream, poll, "--user", "ana").stdout
    assert crowded.lines("poll", "close", stream, poll)[0]["open"] is False
    assert crowded.run("poll", "vote", stream, poll, "1", "--user", "ana", check=False).returncode != 0
    assert crowded.lines("react", stream, "👍", "--target", poll, "--user", "ana")[0]["mine"] == ["👍"]


def test_in_python(crowded: Pipeline) -> None:
    space: dict[str, Any] = {}
    exec(example("crowd.md", "python"), space)  # noqa: S102 - it is ours
    assert asyncio.run(space["cheer"](crowded.gateway_url, crowded.edge_url)) == {"👏": 3}
