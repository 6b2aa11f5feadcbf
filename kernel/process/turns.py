"""Long work on a loop that others share: it goes on for a few milliseconds, and then lets them by."""

import asyncio
from typing import Final

from kernel.clock import Clock

_TURN_S: Final = 0.005


class Turns:
    """Of one piece of work; asked after each of its steps, however little each costs."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic() + _TURN_S

    async def let_by(self) -> None:
        """Others have their turn, if this one is over."""
        if self._clock.monotonic() >= self._until:
            await asyncio.sleep(0)
            self._until = self._clock.monotonic() + _TURN_S
