"""What the streams of one ingest partition have come to: each event is judged by it, and moves it on. Pure.

The newest states are here, what was kept of the others is asked for. A state is handed out to be kept when
the offset behind it is to be committed: so what is kept is never behind what is committed, and never beyond
what is on the log.
"""

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

S = TypeVar("S")


class States(Generic[S]):
    """A state for each channel. Whatever is in a state is carried with it: a number, or members as well."""

    def __init__(self, kept: Callable[[str], S | None]) -> None:
        """`kept` says what a channel's state is that did not change here since it was handed out."""
        self._kept = kept
        self._now: dict[str, S] = {}
        #: What became of them, in the order of offsets.
        self._changes: deque[tuple[int, str, S]] = deque()

    def get(self, channel: str) -> S | None:
        """The channel's state, with all that was folded here; None where it has none yet."""
        found = self._now.get(channel)
        return self._kept(channel) if found is None else found

    def put(self, channel: str, state: S, offset: int) -> None:
        """It is this from the record at `offset` on."""
        self._now[channel] = state
        self._changes.append((offset, channel, state))

    def take(self, upto: int) -> dict[str, S]:
        """The states that changed before this offset, as they were at it. The caller keeps them, at once."""
        taken: dict[str, S] = {}
        changes = self._changes
        while changes and changes[0][0] < upto:
            _, channel, state = changes.popleft()
            taken[channel] = state
        for channel, state in taken.items():
            if self._now.get(channel) is state:
                del self._now[channel]
        return taken
