"""The check of dependencies finds each way in which one can come loose, and the audit tells what it knows."""

import sys
import time
from collections.abc import Callable, Iterator

import pytest

from tests.security import audit, locked
from tests.security.locked import Locked

HASH = f"    --hash=sha256:{'0' * 64}"
LOCK = f"""# made by make lock
uvloop==0.23.0 ; sys_platform != 'win32' \\
{HASH} \\
{HASH}
Six==1.17.0 \\
{HASH}
"""
THERE = {"six": Locked("1.17.0", "", 1)}
PACKAGE = {"version": "1.2.3", "integrity": "sha512-x", "license": "MIT"}


def test_a_lock_is_read_with_its_markers_and_hashes() -> None:
    wrong: list[str] = []
    found = locked.read_lock(LOCK, wrong)
    assert found == {"uvloop": Locked("0.23.0", "sys_platform != 'win32'", 2), "six": Locked("1.17.0", "", 1)}
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    ["six>=1.17", "six", "git+https://example.org/six.git", "--index-url https://example.org/", "-e ."],
)
def test_a_line_that_is_not_one_exact_version_is_named(line: str) -> None:
    wrong: list[str] = []
    locked.read_lock(line + "\n", wrong)
    assert len(wrong) == 1


def lock(**more: object) -> dict[str, object]:
    return {"packages": {"node_modules/a": {**PACKAGE, **more}}}


WRONG: dict[str, tuple[Callable[[], Iterator[str]], str]] = {
    "not locked": (lambda: locked.asked(["rich>=1"], THERE), "rich is asked for and not locked"),
    "another version": (lambda: locked.asked(["six>=2"], THERE), "six>=2 is asked for and 1.17.0 is locked"),
    "two locks": (
        lambda: locked.disagreements(THERE, {"six": Locked("1.16.0", "", 1)}),
        "requirements-run.lock has six 1.17.0, requirements.lock 1.16.0",
    ),
    "not installed": (lambda: locked.installed({"no-such-thing": Locked("1", "", 1)}), "and not installed"),
    "installed otherwise": (lambda: locked.installed({"pytest": Locked("0.1", "", 1)}), "and 0.1 is locked"),
    "an open range": (lambda: locked.javascript(lock(version="^1.2.3"), {}), "a has no exact version"),
    "no integrity": (lambda: locked.javascript(lock(integrity=None), {}), "a has no integrity hash"),
    "a place": (lambda: locked.javascript(lock(resolved="https://example.org"), {}), "names the place"),
    "a licence": (lambda: locked.javascript(lock(license="AGPL-3.0"), {}), "the licence 'AGPL-3.0'"),
    "a workspace": (
        lambda: locked.javascript(lock(), {"web": {"dependencies": {"a": "^2"}}}),
        "web: dependencies of package.json",
    ),
    "rust": (lambda: locked.rust({"dependencies": {"libc": "0.2"}}), "libc of bench/load is '0.2'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_loose_is_found(name: str) -> None:
    look, said = WRONG[name]
    (sentence,) = look()
    assert said in sentence


def test_what_is_installed_and_needs_more_than_is_locked_is_found() -> None:
    import importlib.metadata

    alone = {"pytest": Locked(importlib.metadata.version("pytest"), "", 1)}
    assert any(
        "pytest: pluggy is asked for and not locked" in sentence for sentence in locked.installed(alone)
    )


def test_an_audit_tells_what_is_known_and_when_nobody_could_be_asked() -> None:
    known = {
        "dependencies": [{"name": "six", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}]
    }
    assert audit.python_findings(known) == ["six 1: X-1 (mended in 2)"]
    assert audit.python_findings({"dependencies": [{"name": "six", "version": "1", "vulns": []}]}) == []
    assert audit.javascript_findings({"vulnerabilities": {"a": {"severity": "high"}}}) == ["a: high"]
    assert audit.javascript_findings({"vulnerabilities": {}}) == []
    skipped = {"name": "six", "skip_reason": "not found"}
    assert audit.python_findings({"dependencies": [skipped]}) is None
    partly = {"dependencies": [skipped, {"name": "rich", "version": "1", "vulns": []}]}
    assert audit.python_findings(partly) == ["six could not be audited"]
    for silent in (None, {"error": {"code": "ENOAUDIT"}}):
        assert audit.python_findings(silent) is None
        assert audit.javascript_findings(silent) is None


@pytest.mark.parametrize(
    ("findings", "code", "line"),
    [
        (None, 0, "Python: no vulnerability service is in reach from here, so nothing was checked."),
        ([], 0, "Python: nothing is known about what is locked."),
        (["six 1: X-1 (mended in 2)"], 1, "six 1: X-1 (mended in 2)"),
    ],
    ids=["out of reach", "clean", "known"],
)
def test_what_is_known_fails_the_check_and_what_cannot_be_asked_is_said(
    findings: list[str] | None, code: int, line: str
) -> None:
    assert audit.verdict({"Python": findings, "JavaScript": []}) == (
        code,
        [line, "JavaScript: nothing is known about what is locked."],
    )


def test_a_service_that_never_answers_is_not_waited_for() -> None:
    asked = time.monotonic()
    assert audit.said([sys.executable, "-c", "import time; time.sleep(600)"], seconds=0.2) is None
    assert time.monotonic() - asked < 60
    assert audit.said([sys.executable, "-c", "print('[1]'); raise SystemExit(1)"], seconds=60) == [1]
