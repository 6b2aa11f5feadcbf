"""What has come from a viewer and is not done yet, done piece by piece: bytes, frames, messages, requests.

It exists only while something is under way or incomplete: an idle viewer costs nothing of it.
"""

import logging
from collections.abc import Iterator
from typing import Final, Protocol

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, SERVER
from websockets.protocol import Protocol as Wire

from consumers.protocol import effects as e

WIRE_LOG: Final = logging.getLogger("touchline.websockets")
WIRE_LOG.setLevel(logging.WARNING)  # `websockets` logs each connection at info

#: So many bytes are parsed at a time: the smallest frames have six.
_PIECE: Final = 1024
#: What is done in one piece, in frames; and what something that is asked for counts as.
_AT_ONCE: Final = 256
_ASKED: Final = 16

Asked = e.MemberEffect | e.Effect


class Owner(Protocol):
    """Whose connection it is."""

    @property
    def closing(self) -> bool: ...
    def count_frame(self, *, bad: bool) -> None:
        """A frame came that is no message by itself."""

    def receive(self, text: str, size: int) -> Iterator[Asked]:
        """A message came: what it asks for, to be done one by one."""

    def do(self, asked: Asked) -> None: ...
    def over(self) -> bool:
        """Whether this turn of the loop is over, though less was done than a piece may be."""

    def answer(self, wire: Wire) -> None:
        """Write what the parser says to frames."""


class Incoming:
    """The input of one connection."""

    __slots__ = ("_asked", "_at", "_data", "_frames", "_wire", "fragments", "lined_up")

    def __init__(self, max_size: int) -> None:
        self._wire = Wire(SERVER, state=OPEN, max_size=max_size, logger=WIRE_LOG)
        #: Bytes, and how far they are parsed.
        self._data, self._at = b"", 0
        self._frames: Iterator[object] | None = None
        #: What has come of a message that is not complete.
        self.fragments: list[bytes] | None = None
        self._asked: Iterator[Asked] | None = None
        #: Whether it waits for a turn.
        self.lined_up = False

    def add(self, data: bytes) -> None:
        """More bytes have come."""
        self._data, self._at = (self._data[self._at :] + data if self._data else data), 0

    @property
    def at_rest(self) -> bool:
        """Whether nothing is left of it."""
        return not (self._under_way or self._wire.reader.buffer or self.fragments is not None)

    def work(self, owner: Owner) -> bool:
        """Do a piece of it; whether there is more."""
        left = _AT_ONCE
        while left > 0:
            if owner.closing:
                return False  # nothing that follows is looked at
            if self._asked is not None:
                left -= _ASKED
                if (asked := next(self._asked, None)) is None:
                    self._asked = None
                else:
                    owner.do(asked)
                    if owner.over():  # one may be dear: to watch a channel whose settings are long to read
                        return self._under_way
            elif self._frames is not None:
                left -= 1
                if (frame := next(self._frames, None)) is None:
                    self._frames = None
                    owner.answer(self._wire)
                elif isinstance(frame, Frame):
                    self._take(frame, owner)
            elif self._data:
                self._wire.receive_data(self._next_piece())
                self._frames = iter(self._wire.events_received())
            else:
                return False
        return self._under_way

    @property
    def _under_way(self) -> bool:
        return self._asked is not None or self._frames is not None or bool(self._data)

    def _next_piece(self) -> bytes:
        piece = self._data if len(self._data) <= _PIECE else self._data[self._at : self._at + _PIECE]
        self._at += len(piece)
        if self._at >= len(self._data):
            self._data, self._at = b"", 0
        return piece

    def _take(self, frame: Frame, owner: Owner) -> None:
        if frame.opcode is not Opcode.TEXT or not frame.fin:
            owner.count_frame(bad=frame.opcode is Opcode.BINARY)
        if frame.opcode is Opcode.TEXT:
            self.fragments = []
        elif frame.opcode is not Opcode.CONT or self.fragments is None:
            return
        if frame.data:  # the parser bounds their bytes; of those that have none there may be any number
            self.fragments.append(bytes(frame.data))
        if not frame.fin:
            return
        message = b"".join(self.fragments)
        self.fragments = None
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._wire.fail(1007, "text frames are UTF-8")
            return
        self._asked = owner.receive(text, len(message))
