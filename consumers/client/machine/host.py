"""What the client's state machine calls: connections, chance, and who is told of events and status."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from kernel.errors import TouchlineError
from schemas.events import Event


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """What lies between `after` and `seq` of a stream is not to be had: said, never hidden."""

    stream: str
    after: int
    seq: int
    reason: str


class _State(msgspec.Struct, frozen=True, tag_field="state", tag=str.lower, rename="camel"):
    """How things stand."""


class Closed(_State, frozen=True):
    """Not started, or closed by its user."""


class Connecting(_State, frozen=True):
    """A connection is being opened."""


class Live(_State, frozen=True):
    """Connected; `caught_up` is false while missed events are still coming: `behind` of them, where known."""

    caught_up: bool
    behind: int | None


class Waiting(_State, frozen=True):
    """The connection is lost; the next try is at `retry_at`, on the clock that the client was given."""

    retry_at: float


class Offline(_State, frozen=True):
    """The machine has no network."""


class Refused(_State, frozen=True):
    """The edge does not want this client: trying again would not help."""

    code: str
    message: str


Status = Closed | Connecting | Live | Waiting | Offline | Refused


class Wire(Protocol):
    """The network's half of it."""

    def open(self, connection: int, url: str) -> None: ...

    def send(self, connection: int, message: Mapping[str, Any]) -> None: ...

    def close(self, connection: int, code: int) -> None: ...

    def random(self) -> float:
        """From 0 up to 1."""


class Host(Wire, Protocol):
    """Whoever has the core: a `Viewer`, or a test."""

    def wall_ms(self) -> float:
        """Wall time, for a token's expiry."""

    def want_token(self) -> None:
        """A token is wanted: `core.token()` or `core.no_token()` follows, now or later."""

    def event(self, stream: str, event: Event) -> None:
        """An event of what was subscribed as `stream`: of the stream itself, or of a lane of it."""

    def gap(self, stream: str, gap: Gap) -> None: ...

    def subscribed(self, stream: str, head: int) -> None: ...

    def refused(self, stream: str, error: TouchlineError) -> None:
        """The stream is refused for good, and forgotten."""

    def reply(self, request: int, message: Mapping[str, Any]) -> None: ...

    def fail(self, request: int, error: TouchlineError) -> None: ...

    def told(self, message: Mapping[str, Any]) -> None:
        """Of all rooms: `synced`, `inbox`; and unasked: receipts, who types, who comes and goes."""

    def rejected(self, message: Mapping[str, Any]) -> None:
        """Something published was refused after the edge had taken it."""

    def status(self, status: Status) -> None: ...
