"""GitHub's workflows: read by actionlint, and what they call is there. They have not been run."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.containers.tools import find

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
ACTIONLINT = find("actionlint")


@pytest.mark.skipif(ACTIONLINT is None, reason="no actionlint: python -m tests.containers.tools actionlint")
def test_actionlint_finds_nothing() -> None:
    assert ACTIONLINT is not None
    done = subprocess.run(
        (ACTIONLINT, "-no-color", *map(str, WORKFLOWS)), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_calls_is_there(path: Path) -> None:
    text = path.read_text("utf-8")
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", text)) <= targets
