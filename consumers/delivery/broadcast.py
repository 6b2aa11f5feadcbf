"""One chunk to everybody who is live: a single call into C where that was built, else one write each.

A call for each viewer is what an edge's time goes into once an event is encoded only once. `broadcast.c`
makes the same system call for all sockets of an audience in a row, and lets other threads run meanwhile.
docs/decisions/0044.
"""

import ctypes
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

Write = Callable[[bytes], object]


class Outlet(Protocol):
    """Somebody to write to. `paused`: the socket is full, and what is written now waits in the transport.

    `socket` is the descriptor of a socket that may be written to past its transport, because nothing waits
    there while it is not paused. None: only `write` will do, as with TLS.
    """

    @property
    def paused(self) -> bool: ...

    @property
    def socket(self) -> int | None: ...

    def write(self, data: bytes) -> None: ...


class Present(NamedTuple):
    """Who is live at one moment."""

    outlets: list[Outlet]
    #: Those of `outlets`, in their order.
    sockets: "array[int]"
    writes: list[Write]

    @property
    def number(self) -> int:
        return len(self.outlets) + len(self.writes)


class Live:
    """Those of an audience who are at the head, with the way to write to each."""

    __slots__ = ("_sockets", "_writes")

    def __init__(self) -> None:
        self._sockets: dict[Outlet, int] = {}
        self._writes: dict[Outlet, Write] = {}

    def __len__(self) -> int:
        return len(self._sockets) + len(self._writes)

    def add(self, outlet: Outlet) -> None:
        socket = outlet.socket if write_to_all is not None else None
        if socket is None:
            self._writes[outlet] = outlet.write
        else:
            self._sockets[outlet] = socket

    def discard(self, outlet: Outlet) -> None:
        self._sockets.pop(outlet, None)
        self._writes.pop(outlet, None)

    def present(self) -> Present:
        return Present(list(self._sockets), array("i", self._sockets.values()), list(self._writes.values()))


def broadcast(round_: Sequence[tuple[bytes, Present]]) -> None:
    """Write each chunk to all who are present, also to those whose socket fills up on the way."""
    somebody_is_full = False
    for chunk, present in round_:
        for write in present.writes:
            write(chunk)
        if somebody_is_full:
            # What did not fit before waits in the transport, and goes first.
            for outlet in present.outlets:
                outlet.write(chunk)
        elif present.outlets:
            for index, written in _short(present.sockets, chunk):
                present.outlets[index].write(chunk[written:])
                somebody_is_full = True


def _short(sockets: "array[int]", chunk: bytes) -> list[tuple[int, int]]:
    """Write to all; which of them took less than all, and how much."""
    assert write_to_all is not None  # noqa: S101 - without it nobody is among the outlets
    written = array("i", bytes(4 * len(sockets)))
    if not write_to_all(sockets.buffer_info()[0], len(sockets), chunk, len(chunk), written.buffer_info()[0]):
        return []
    return [(index, size) for index, size in enumerate(written) if size < len(chunk)]


def _load() -> Callable[[int, int, bytes, int, int], int] | None:
    """`broadcast.c` as it was built with the package; None where it was not (no C compiler was there)."""
    try:
        function = ctypes.CDLL(str(Path(__file__).with_name("libbroadcast.so"))).touchline_write_to_all
    except OSError:
        return None
    function.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p]
    function.restype = ctypes.c_int
    call: Callable[[int, int, bytes, int, int], int] = function
    return call


write_to_all: Final = _load()
#: How viewers are written to, for whoever looks after an edge.
WRITE_MODE: Final = "one write a viewer" if write_to_all is None else "one call for all"
