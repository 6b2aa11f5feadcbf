"""What stands in the way of a start is said before anything is started."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from embedded import preflight
from embedded.datadir import DataDirectory
from embedded.supervision import state
from embedded.supervision.plan import Claim
from embedded.supervision.state import Addresses, Identity, ProcessState, State
from kernel.errors import TouchlineError


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    found = DataDirectory(tmp_path)
    found.prepare()
    return found


def test_a_taken_port_is_said_with_its_holder_and_the_setting(directory: DataDirectory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        claims = [Claim(server.getsockname()[1], "edge", "TOUCHLINE_EDGE_PORT")]
        with pytest.raises(TouchlineError) as refused:
            preflight.check(directory, claims)
    assert refused.value.code == "port_taken"
    assert f"(pid {os.getpid()})" in str(refused.value)
    assert "set TOUCHLINE_EDGE_PORT" in str(refused.value)
    preflight.check(directory, claims)


def test_a_disk_that_is_nearly_full_is_refused(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=20_000_000))
    with pytest.raises(TouchlineError, match=r"Only 0\.02 GB are free") as refused:
        preflight.check(directory, [])
    assert refused.value.code == "disk_full"


def leave(directory: DataDirectory, child: Identity) -> None:
    dead = Identity(2**22 + 1, 0.0)
    state.write(directory.state_file, State(dead, "up", Addresses(), (ProcessState("edge", "ready", child),)))


def test_what_a_killed_supervisor_left_is_ended(directory: DataDirectory) -> None:
    argv = [sys.executable, "-c", "input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True) as child:
        identity = state.identify(child.pid)
        assert identity is not None
        leave(directory, identity)
        preflight.end_leftovers(directory)
        assert identity.process() is None
    assert not directory.state_file.exists()
    preflight.end_leftovers(directory)


def test_a_stranger_that_was_given_the_number_is_spared(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psutil, "wait_procs", lambda _, timeout: ([], []))
    argv = [sys.executable, "-c", "input()"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True) as stranger:
        identity = state.identify(stranger.pid)
        assert identity is not None
        leave(directory, Identity(identity.pid, identity.started - 3600))
        preflight.end_leftovers(directory)
        assert stranger.poll() is None
        stranger.kill()
