"""An event loop in which waiting takes no time: where nothing happens it jumps to what is due next."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting it moves the loop's time."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout is not None:
            self.passed += max(0.0, timeout)
        return ready


class Hurry(asyncio.SelectorEventLoop):
    """Its `time` begins at 0 and passes only while everybody waits. Not for what runs in threads."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed


def in_no_time(work: Coroutine[Any, Any, None]) -> None:
    """Run this to its end, however long it waits."""
    with asyncio.Runner(loop_factory=Hurry) as runner:
        runner.run(work)
