"""What docs/moderation.md shows is run: curl and Python."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import example
from tests.pipeline import Pipeline


def test_with_curl(ruled: Pipeline, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = example("moderation.md", "bash").replace("http://127.0.0.1:18080", ruled.gateway_url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=240)
    assert json.loads((tmp_path / "muted.json").read_text())["muted"] is True
    users = json.loads((tmp_path / "who.json").read_text())["users"]
    assert [(one["user"], one["muted"], one["banned"]) for one in users] == [
        ("eve", True, False),
        ("mal", False, True),
    ]


async def test_in_python(ruled: Pipeline) -> None:
    space: dict[str, Any] = {}
    exec(example("moderation.md", "python"), space)  # noqa: S102 - it is ours
    answer = await space["rule"](ruled.gateway_url)
    assert "eve" in answer["muted"]
    assert answer["lines"][-1]["what"] == "end"
    assert answer["stays"]
