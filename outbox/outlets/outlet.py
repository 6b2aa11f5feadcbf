"""What every way out is: it takes events of one receiver, one after the other, and says how it went.

A way out that is added (a mobile push, say) is a class of this shape; `tests/outbox/test_outlets.py` has what
each has to hold to.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from kernel.log.records import Partition


class Item(NamedTuple):
    """An event on its way out."""

    place: Partition
    offset: int
    channel: str
    #: `<kind>:<channel>`.
    stream: str
    id: str
    type: str
    #: When it was appended.
    at_ms: int
    #: Its JSON object, as viewers see it.
    body: bytes


class Outcome(NamedTuple):
    """How it went."""

    #: `done`: the receiver has it. `again`: not now. `gone`: it wants nothing any more.
    what: Literal["done", "again", "gone"]
    why: str = ""
    #: How long the receiver asks to be left alone; None: it has not said.
    wait_s: float | None = None


DONE = Outcome("done")


class Outlet(Protocol):
    """One receiver's way."""

    #: By what metrics count it: a name of its sort, the same for all receivers.
    sort: str
    #: Whether many events that wait may go out as one message.
    digests: bool
    #: Of how many channels it takes some at once; 0: of as many as the settings say.
    at_once: int

    async def deliver(self, items: Sequence[Item]) -> Outcome:
        """Hand these over, which are of one channel and in order; more than one only where it digests.

        It returns within the time that the settings give a receiver, and raises nothing.
        """

    def hold_until(self, now_ms: int) -> int:
        """Until when nothing may be handed over (quiet hours); 0: now."""
