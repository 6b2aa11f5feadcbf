"""What has come of a viewer is done in pieces: of so many, and no longer than a turn of the loop lasts."""

import struct
from collections.abc import Iterator
from typing import Any

from websockets.protocol import Protocol as Wire

from consumers.transport.incoming import Incoming
from kernel.clock import ManualClock
from kernel.fairness.turns import TURN_S, Turns


class Owner:
    """A connection on which each thing that is asked for takes a while."""

    closing = False

    def __init__(self, takes_s: float) -> None:
        self._clock, self._takes_s = ManualClock(), takes_s
        self._turns = Turns(self._clock)
        self.done = 0

    def count_frame(self, *, bad: bool) -> None: ...
    def answer(self, wire: Wire) -> None: ...

    def receive(self, text: str, size: int) -> Iterator[Any]:
        return iter(text.splitlines())

    def do(self, asked: Any) -> None:
        self.done += 1
        self._clock.advance(self._takes_s)

    def over(self) -> bool:
        return self._turns.over()

    def turn(self) -> None:
        self._turns = Turns(self._clock)
        assert self._turns.free()


def frame(text: str) -> bytes:
    data = text.encode()
    return b"\x81\xfe" + struct.pack("!H", len(data)) + bytes(4) + data


async def pieces(takes_s: float) -> list[int]:
    """How much is done in each turn of sixty requests in one frame."""
    incoming, owner, found = Incoming(65536), Owner(takes_s), list[int]()
    incoming.add(frame("\n".join(f"request {number}" for number in range(60))))
    more = True
    while more:
        owner.turn()
        before, more = owner.done, incoming.work(owner)
        found.append(owner.done - before)
    assert owner.done == 60
    return found


async def test_what_is_dear_is_done_one_by_one() -> None:
    assert max(await pieces(TURN_S)) == 1


async def test_what_is_cheap_is_done_a_few_at_a_time() -> None:
    assert 10 <= max(await pieces(0.0)) <= 16
