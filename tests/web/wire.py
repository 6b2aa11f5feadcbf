"""A wire between a page and an edge that is cut as a network is: nothing comes, and nobody is told."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Final, Self

_PIECE: Final = 65_536


class Wire:
    """Forwards TCP connections. What was open when it is cut stays silent for ever; new ones work later."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        #: Connections of an earlier number are dead.
        self._number, self._is_cut = 0, False
        self._run(self._accept)

    def cut(self) -> None:
        self._number, self._is_cut = self._number + 1, True

    def mend(self) -> None:
        self._is_cut = False

    def _run(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                page, _ = self._listener.accept()
                self._ends.append(page)
                if self._is_cut:
                    continue
                edge = socket.create_connection(self._to)
                self._ends.append(edge)
                self._run(self._forward, page, edge, self._number)
                self._run(self._forward, edge, page, self._number)

    def _forward(self, source: socket.socket, sink: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                if number == self._number:
                    sink.sendall(piece)
            if number == self._number:
                sink.shutdown(socket.SHUT_WR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in (self._listener, *self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join(5)
