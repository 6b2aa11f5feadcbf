"""What is said where there is no Docker daemon, and what containers are given."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.containers.daemon import CACHE_VARIABLE, Daemon, answers, cache_dir, obstacle

ROOT = Path(__file__).parents[2]


def test_whoever_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere another sentence comes first")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert obstacle() == (
        "No Docker daemon answers, and only root can start one: start yours, or run this as root."
    )


def test_what_is_not_installed_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere another sentence comes first")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert obstacle() == (
        "No Docker daemon answers, and dockerd is not installed: apt-get install docker.io."
    )


def test_make_containers_says_that_it_was_not_tried(tmp_path: Path) -> None:
    """Not tried is not held, and not failed either."""
    done = subprocess.run(
        (sys.executable, "-m", "tests.containers"),
        cwd=ROOT,
        env={"PATH": str(tmp_path), "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 75, done.stderr
    assert done.stderr.startswith("containers: not tried. No Docker daemon answers, and ")
    assert not done.stdout


def test_nobody_answers_on_a_socket_that_is_not_there(tmp_path: Path) -> None:
    assert not answers(f"unix://{tmp_path}/none.sock")


def test_the_cache_is_where_one_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    assert cache_dir() == tmp_path


def test_programs_find_the_daemon_by_their_environment() -> None:
    environment = Daemon("unix:///x.sock", own=True, open_files=1, locked_bytes=1).environment
    assert environment["DOCKER_HOST"] == "unix:///x.sock"
    assert environment["PATH"] == os.environ["PATH"]
    assert shutil.which("sh", path=environment["PATH"])
