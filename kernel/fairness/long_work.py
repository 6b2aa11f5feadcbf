"""Long work on a loop that others share: it goes on for a few milliseconds, and then lets them by.

Many such works at once would each take a turn between two looks at the sockets. So whoever's turn is over
waits in one line, and the loop lets one of them go on each time it comes round. This is for walks over what
is known, whoever they are for; what one user's requests take, `turns` shares out among users.
"""

import asyncio
from collections import deque
from typing import Final
from weakref import WeakKeyDictionary

from kernel.clock import Clock

_TURN_S: Final = 0.005
#: Who begins has a short turn: as many as come at once begin at once.
_FIRST_S: Final = 0.001


class LongWork:
    """Of one piece of work; asked after each of its steps, however little each costs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic() + _FIRST_S

    @property
    def over(self) -> bool:
        """Whether others are to be let by: for steps so small that an `await` would cost more."""
        return self._clock.monotonic() >= self._until

    async def let_by(self) -> None:
        """Others have their turn, if this one is over."""
        if self.over:
            await _line_of(loop := asyncio.get_running_loop()).wait(loop)
            self._until = self._clock.monotonic() + _TURN_S


class _Line:
    """Who waits for the next turn on a loop, the first come first."""

    def __init__(self) -> None:
        self._waiting = deque[asyncio.Future[None]]()

    def wait(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        if not self._waiting:
            loop.call_soon(self._next, loop)
        turn = loop.create_future()
        self._waiting.append(turn)
        return turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        turn = self._waiting.popleft()
        if self._waiting:
            loop.call_soon(self._next, loop)
        if not turn.done():  # who has given up meanwhile is passed over
            turn.set_result(None)


_lines: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Line]] = WeakKeyDictionary()


def _line_of(loop: asyncio.AbstractEventLoop) -> _Line:
    if (found := _lines.get(loop)) is None:
        found = _lines[loop] = _Line()
    return found
