"""Finds ports that are free to listen on, and says who has those that are not."""

import contextlib
import random
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import psutil

LOOPBACK: Final = "127.0.0.1"

# Below the range from which Linux takes the near end of outgoing connections (32768 and up). From that
# range a port would be free now, and taken by some client's connection while its server is restarted; a
# client that keeps trying to reach the server could even be connected to itself.
# Programs that take many at once, side by side, give each a part of it.
free_ports = range(21_000, 30_000)


@dataclass(frozen=True)
class PortOwner:
    """The process that listens on a port, as far as it can be found out."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})"


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that a port in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            # A wildcard listener does not stop the bind on every system, but it stops the listening.
            probe.listen(1)
        except OSError:
            return False
    return True


def find_free(*, avoid: Iterable[int] = ()) -> int:
    """A port that nothing listens on, outside the range of outgoing connections."""
    avoided = frozenset(avoid)
    # Random, so that two programs that look at the same time are unlikely to meet.
    for port in random.sample(free_ports, k=1_000):
        if port not in avoided and is_free(port):
            return port
    raise AssertionError(f"1,000 ports tried between {free_ports.start} and {free_ports.stop}, none is free")


def holder(port: int) -> PortOwner | None:
    """Who listens on this port; None where the system does not tell (another user's process, mostly)."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            listening = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
            if listening and connection.pid is not None:
                return PortOwner(connection.pid, psutil.Process(connection.pid).name())
    return None
