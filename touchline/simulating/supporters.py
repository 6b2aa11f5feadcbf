"""Those who clap at a simulated match, react to what is said, and vote on who wins: by edge and gateway."""

import asyncio
import contextlib
import random
from types import TracebackType
from typing import Final, Self

from consumers.client.requests.crowd import Crowd, applaud, react
from consumers.client.viewer import Viewer
from kernel.errors import TouchlineError
from producers.simulation.match import AWAY, HOME
from schemas.events import Event

_CONNECT_S: Final = 5.0
_EMOJI: Final = ("👏", "👏", "👏", "⚽", "🎉", "😮")
_TO_MESSAGES: Final = ("👍", "😂", "🔥")
_FANS: Final = 12
#: Of what they do so many are reactions to a message, and votes.
_REACTS, _VOTES = 0.2, 0.1


class Supporters:
    """So many claps a second. `async with` begins, and ends it; what is refused ends nothing."""

    def __init__(self, url: str, gateway: str, channel: str, *, per_s: float, seed: int) -> None:
        self._stream, self._per_s = f"chat:{channel}", per_s
        self._luck = random.Random(seed)  # noqa: S311 - a play, not a secret
        self._viewer = Viewer(url)
        self._fans = [Crowd(gateway, user=f"fan-{number}") for number in range(_FANS)]
        self._newest = ""
        self._poll = ""
        self._work: list[asyncio.Task[None]] = []
        #: What was answered.
        self.claps = self.votes = 0

    async def __aenter__(self) -> Self:
        await self._viewer.__aenter__()
        self._work = [asyncio.create_task(work) for work in (self._listen(), self._ask(), self._cheer())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        if self._poll:
            with contextlib.suppress(TouchlineError):
                await self._fans[0].close(self._stream, self._poll)
        await self._viewer.close()

    async def _listen(self) -> None:
        async for item in self._viewer.items(self._stream):
            if isinstance(item, Event) and item.type == "message":
                self._newest = item.id

    async def _ask(self) -> None:
        with contextlib.suppress(TouchlineError):  # without a gateway nobody is asked
            self._poll = await self._fans[0].ask(self._stream, "Who wins?", [HOME[0], "Draw", AWAY[0]])

    async def _cheer(self) -> None:
        await self._viewer.connected(_CONNECT_S)
        doing: set[asyncio.Task[None]] = set()
        while True:
            await asyncio.sleep(self._luck.expovariate(self._per_s))
            task = asyncio.create_task(self._do(self._luck.random()))
            doing.add(task)
            task.add_done_callback(doing.discard)

    async def _do(self, chance: float) -> None:
        with contextlib.suppress(TouchlineError):
            if chance < _VOTES and self._poll:
                await self._luck.choice(self._fans).vote(self._stream, self._poll, self._luck.randrange(3))
                self.votes += 1
                return
            if chance < _VOTES + _REACTS and self._newest:
                await react(self._viewer, self._stream, self._luck.choice(_TO_MESSAGES), self._newest)
            else:
                await applaud(self._viewer, self._stream, self._luck.choice(_EMOJI))
            self.claps += 1
