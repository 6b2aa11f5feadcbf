"""Fixtures end with what uses them: those of a folder that is no package would stay until the run ends."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CONFTESTS = sorted(TESTS.rglob("conftest.py"))
SHARING = [file for file in CONFTESTS if 'scope="package"' in file.read_text("utf-8")]


@pytest.mark.parametrize("file", SHARING, ids=lambda file: str(file.relative_to(TESTS)))
def test_a_folder_with_fixtures_of_its_own_is_a_package(file: Path) -> None:
    assert file.with_name("__init__.py").is_file(), f"{file.parent.name} needs an __init__.py"


def test_a_pipeline_outlives_no_folder() -> None:
    """Processes of a session's fixture would idle, a few per cent of a core each, until the run ends."""
    for file in CONFTESTS:
        text = file.read_text("utf-8")
        assert file.parent == TESTS or "with running(" not in text or 'scope="session"' not in text, file
