"""What docs/nearby.md shows is run: curl and Python, and the command line beside them."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import example
from tests.pipeline import Pipeline, eventually


def test_with_curl_and_the_command_line(walking: Pipeline, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = example("nearby.md", "bash").replace("http://127.0.0.1:18080", walking.gateway_url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=240)
    seen = eventually(
        "the fence has told",
        lambda: walking.lines(
            "watch", "broadcast:fence-office", "--user", "ana", "--last", "1", "--count", "1"
        ),
    )
    assert (seen[0]["type"], seen[0]["data"]["user"]) == ("enter", "bob")
    near = walking.lines("nearby", "40.758,-73.9855", "--user", "ana", "--within", "1km", "--for", "3")
    assert near[0]["user"] == "bob"
    assert [row["user"] for row in walking.lines("friend", "list", "--user", "ana")] == ["bob"]
    assert walking.lines("friend", "share", "--user", "bob") == [{"on": True, "public": False}]
    assert walking.lines("fence", "show", "office", "--user", "ana")[0]["radius_m"] == 200.0
    assert "watches no more" in walking.run("fence", "remove", "office", "--user", "ana").stdout


def test_in_python(walking: Pipeline) -> None:
    space: dict[str, Any] = {}
    exec(example("nearby.md", "python"), space)  # noqa: S102 - it is ours
    assert asyncio.run(space["meet"](walking.gateway_url, walking.edge_url)) == "bob-2 is 11 m away"
