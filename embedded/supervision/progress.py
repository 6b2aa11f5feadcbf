"""What a supervisor tells those who watch it: to a terminal, or as lines of JSON through a pipe."""

import contextlib
import os
import signal
from collections.abc import Callable
from typing import BinaryIO

import msgspec


class Download(msgspec.Struct, frozen=True, tag=True):
    """So many bytes of a server are on this machine."""

    label: str
    done: int
    total: int


class Changed(msgspec.Struct, frozen=True, tag=True):
    """A process has another state now."""

    name: str
    state: str
    detail: str = ""


class Up(msgspec.Struct, frozen=True, tag=True):
    """Everything runs."""


class Failed(msgspec.Struct, frozen=True, tag=True):
    """The start has failed, and nothing of it runs any more."""

    code: str
    message: str
    hint: str = ""


Event = Download | Changed | Up | Failed
Report = Callable[[Event], None]


def write_to(pipe: BinaryIO) -> Report:
    """A report that writes lines of JSON until the start has succeeded or failed.

    Where the reader goes away before that, the user has given up: this process is asked to end.
    """

    def report(event: Event) -> None:
        if pipe.closed:
            return
        try:
            pipe.write(msgspec.json.encode(event) + b"\n")
            pipe.flush()
        except BrokenPipeError:
            with contextlib.suppress(BrokenPipeError):  # closing tries to write the rest once more
                pipe.close()
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            if isinstance(event, Up | Failed):
                pipe.close()

    return report


def read(line: bytes) -> Event:
    """The event in a line that `write_to` wrote."""
    event: Event = msgspec.json.decode(line, type=Event)
    return event
