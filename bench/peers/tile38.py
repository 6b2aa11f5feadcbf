"""Tile38 beside a worker's fences, where a setting names its binary: the same fences, the same positions.

At its best for this job: no append-only file, one connection with as many commands under way as it likes, and
fences as channels, which tell nobody else.
"""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.peers import installing
from bench.rig.generator import listening
from embedded.ports import find_free

#: Commands that are under way at once.
_LOT: Final = 500


@contextlib.contextmanager
def running() -> Iterator[tuple[int, int]]:
    """A server; its port and its process."""
    port = find_free()
    with tempfile.TemporaryDirectory(prefix="touchline-tile38-") as folder:
        command = [str(installing.tile38()), "-p", str(port), "-h", "127.0.0.1", "-d", folder]
        options = ["--appendonly", "no", "--http-transport", "no"]
        with subprocess.Popen(
            [*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=Path(folder)
        ) as process:
            try:
                listening(port).close()
                yield port, process.pid
            finally:
                process.kill()


def set_fences(port: int, circles: Sequence[tuple[float, float, float]]) -> None:
    """A channel for each circle (lat, lon, radius), told of who enters and leaves."""
    _pipe(
        port,
        [
            f"SETCHAN f{n} NEARBY fleet FENCE DETECT enter,exit POINT {lat} {lon} {radius}"
            for n, (lat, lon, radius) in enumerate(circles)
        ],
    )


def updates(port: int, places: Sequence[tuple[str, float, float]]) -> float:
    """Set these positions, one after the other; how many seconds until all are answered."""
    commands = [f"SET fleet {who} POINT {lat} {lon}" for who, lat, lon in places]
    began = time.perf_counter()
    _pipe(port, commands)
    return time.perf_counter() - began


def _pipe(port: int, commands: Sequence[str]) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        reader = connection.makefile("rb")
        for start in range(0, len(commands), _LOT):
            lot = commands[start : start + _LOT]
            connection.sendall(b"".join(map(_resp, lot)))
            for _ in lot:
                answer = reader.readline()
                if answer.startswith(b"-"):
                    raise OSError(f"Tile38 refuses: {answer!r}")


def _resp(command: str) -> bytes:
    words = [word.encode() for word in command.split()]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
