"""Users here who hear what they are told: of a channel that goes live they are told while they are there."""

import asyncio
import random
from typing import Any, Final

from consumers.feeds.broadcasts import Broadcasts, Heard
from consumers.feeds.following import Following
from consumers.service.tasks import Tasks
from control.outlets.looking import LIVE, Looks
from control.state import ControlState
from kernel.errors import TouchlineError
from kernel.process.lines import Lines

_lines = Lines("touchline.feeds")
#: Over how long the looks are spread that one event sets off: each is a command, and a page for the outbox.
#: Who is here sees the event in their feed before that.
_SPREAD_S: Final = 0.5
_A_SECOND: Final = 2000


class _Here:
    """A user who is here, with the channels that they follow (it is an Ear)."""

    def __init__(self, here: "LooksHere", user: str) -> None:
        self._here, self.user = here, user
        self.following: Following | None = None
        self.connections: set[Any] = set()
        self.waits = False

    def hear(self, event: Heard) -> None:
        """A broadcast of a channel that they follow."""
        if event.type == LIVE:
            self._here.soon(self)


class LooksHere:
    """Those of an edge."""

    def __init__(self, state: ControlState, broadcasts: Broadcasts, looks: Looks, tasks: Tasks) -> None:
        #: What comes, for those who wait for it.
        self.broadcasts = broadcasts
        self._state, self._looks, self._tasks = state, looks, tasks
        self._users: dict[str, _Here] = {}

    async def add(self, user: str, connection: Any) -> None:
        """Somebody looks, and is told of what comes from now on."""
        if not self._state.feeds.followed:
            return
        try:
            await self.broadcasts.ready()
        except TouchlineError as error:
            _lines.warning("what goes live is told later", error.code, why=error.message)
        if connection.closing:
            return
        here = self._users.get(user)
        if here is None:
            here = self._users[user] = _Here(self, user)
            here.following = Following(self._state, self.broadcasts, user, here)
            here.connections.add(connection)
            await here.following.begin()
        here.connections.add(connection)
        await self._say(here)

    def discard(self, user: str, connection: Any) -> None:
        """No more."""
        here = self._users.get(user)
        if here is None:
            return
        here.connections.discard(connection)
        if here.connections:
            return
        del self._users[user]
        if here.following is not None:
            here.following.end()

    def soon(self, here: _Here) -> None:
        """Say that the user looks; not of all at the same moment."""
        if not here.waits:
            here.waits = True
            spread_s = max(_SPREAD_S, len(self._users) / _A_SECOND)
            wait_s = random.uniform(0, spread_s) if len(self._users) > 100 else 0  # noqa: S311
            asyncio.get_running_loop().call_later(wait_s, lambda: self._tasks.spawn(self._say(here)))

    async def _say(self, here: _Here) -> None:
        here.waits = False
        try:
            await self._looks.say(here.user)
        except TouchlineError as error:
            _lines.warning("that a user looks could not be said", error.code, why=error.message)
