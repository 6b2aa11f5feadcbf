"""The state file is replaced as a whole, and a number that was given again is not mistaken."""

import os
import subprocess
import sys
from pathlib import Path

from embedded.supervision import state
from embedded.supervision.state import Addresses, Identity, ProcessState, State


def test_what_is_written_is_read(tmp_path: Path) -> None:
    me = state.identify(os.getpid())
    assert me is not None
    edge = ProcessState("edge", "ready", me, 18081, restarts=2, last_end="ended with SIGKILL")
    written = State(me, "up", Addresses("k", "e", "g", ("ws://x",)), (edge,))
    state.write(tmp_path / "state.json", written)
    assert state.read(tmp_path / "state.json") == written
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_no_file_and_half_a_file_are_no_state(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    assert state.read(path) is None
    path.write_text('{"supervisor": {"pid": 1')
    assert state.read(path) is None


def test_a_number_that_another_process_was_given_is_not_the_same_process() -> None:
    me = state.identify(os.getpid())
    assert me is not None
    assert me.process() is not None
    assert Identity(me.pid, me.started - 60).process() is None


def test_a_process_that_has_ended_is_gone_even_before_its_parent_has_looked() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        identity = state.identify(child.pid)
        assert identity is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert identity.process() is None
    assert state.identify(child.pid) is None
