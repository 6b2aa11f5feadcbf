"""What the shared service of an edge needs of the parts around it, as types."""

from typing import Any, Protocol

from consumers.protocol import messages as m
from kernel.positions import Kind, Stream


class Poster(Protocol):
    """Posts events into the ingest topics; done when all in-sync replicas have them."""

    async def post(
        self,
        stream: Stream,
        *,
        event_type: str | None,
        key: str,
        sender: str,
        data: dict[str, Any],
        shared: bool = False,
    ) -> None: ...


class Counts(Protocol):
    """How many watch a stream, over all edges."""

    def viewers(self, stream: str) -> int: ...


class Map(Protocol):
    """Which partitions this edge has, and where others are served."""

    def serves(self, kind: Kind, key: str) -> bool:
        """Whether this fan-out key's partition is here, and its rings are filled."""

    def whole(self, kind: Kind, key: str) -> bool:
        """Whether its partition was read from the first record on."""

    def elsewhere(self, key: str) -> str | None:
        """The address of the edge that serves it, where that is known."""


class Cursors(Protocol):
    """What each device has acknowledged."""

    def remember(self, user: str, device: str, stream: str, seq: int) -> None: ...


class Connected(Protocol):
    """A socket's owner."""

    @property
    def address(self) -> str: ...

    def tick(self, now: float, now_s: float) -> None: ...


class Sender(Protocol):
    """Whoever can be told something."""

    def send(self, message: m.AnyReply) -> None: ...
