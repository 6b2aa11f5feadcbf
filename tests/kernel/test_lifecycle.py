"""A role ends well when it is asked to, and says in one line why it ends when it was not."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kernel.errors import TouchlineError
from kernel.process.lifecycle import SWITCH_S, unless

ROOT = Path(__file__).parents[2]


def role(body: str, given: str = "") -> subprocess.Popen[str]:
    """A process that runs a role with this body, and prints `ready` when it is."""
    program = (
        textwrap.dedent("""
        import asyncio, sys
        from kernel.errors import TouchlineError
        from kernel.process.lifecycle import run_role
        from kernel.process.logs import setup_logs
        setup_logs(role="test", form="json")
        async def main(stop: asyncio.Event) -> None:
            print("ready", flush=True)
        """)
        + textwrap.indent(textwrap.dedent(body), "    ")
        + f"\nsys.exit(run_role(main{given}))\n"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def said(err: str) -> str:
    """What a role has logged, but that the machine kept its loop from running."""
    return "".join(line for line in err.splitlines(keepends=True) if "the loop stood still" not in line)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_role_that_is_asked_to_stop_finishes_its_work_and_exits_0(number: signal.Signals) -> None:
    with role("await stop.wait()\nprint('finished', flush=True)") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (out, said(err), process.returncode) == ("finished\n", "", 0)


def test_an_error_for_the_user_is_one_line_without_a_traceback() -> None:
    with role("raise TouchlineError('port_taken', 'Port 1 is taken.', hint='Take another.')") as process:
        _, err = process.communicate(timeout=60)
    line = json.loads(said(err))
    assert process.returncode == 1
    assert (line["code"], line["reason"]) == ("port_taken", "Port 1 is taken. Take another.")
    assert "exception" not in line


def test_an_unexpected_error_ends_the_process_and_is_logged_with_its_place() -> None:
    with role("raise RuntimeError('a bug')") as process:
        _, err = process.communicate(timeout=60)
    line = json.loads(said(err))
    assert process.returncode == 1
    assert line["level"] == "error"
    assert "RuntimeError: a bug" in line["exception"]


async def test_what_is_waited_for_ends_when_the_role_is_asked_to_stop() -> None:
    stop, begun, cancelled = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(unless(stop, forever()))
    await begun.wait()
    stop.set()
    await waiting
    assert cancelled.is_set()


async def test_what_is_waited_for_may_come_or_fail_before_that() -> None:
    async def comes() -> None:
        came.set()

    async def fails() -> None:
        raise TouchlineError("unavailable", "Kafka does not answer.")

    came, stop = asyncio.Event(), asyncio.Event()
    await unless(stop, comes())
    assert came.is_set()
    with pytest.raises(TouchlineError):
        await unless(stop, fails())


def test_threads_beside_a_loop_give_it_the_interpreter_soon() -> None:
    """As Python comes, a loop waits 5 ms for each of them at each callback, and has many a turn."""
    body = "print(sys.getswitchinterval(), flush=True)"
    for given, expected in (("", 0.005), (", has_threads=True", SWITCH_S)):
        process = role(body, given)
        out, _ = process.communicate(timeout=60)
        assert float(out.split()[1]) == pytest.approx(expected)
