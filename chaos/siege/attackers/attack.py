"""What an attack is made of: steps that are data, by one of the public ways in, and what its user may do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

#: What a token of `touchline token` allows as it comes, on the channels of the attackers.
MAY: Final[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
    ("subscribe", "publish", "history", "search"), ("*:foe-*",)
)


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request to the gateway, or to an edge."""

    path: str
    method: str = "GET"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int = 1
    at_once: int = 1
    #: Whether the answer is left on the wire.
    unread: bool = False
    to: Literal["gateway", "edge"] = "gateway"
    #: A field of the answer that later steps of the turn are told, like `results.0.id`: they write it in
    #: braces, twice.
    keeps: str = ""


@dataclass(frozen=True, kw_only=True)
class Frames:
    """Messages of a viewer, on so many connections, that stay for a while."""

    texts: Sequence[str | bytes]
    connections: int = 1
    stays_s: float = 1.0
    #: Whether what comes is read.
    reads: bool = True
    #: Said when it leaves.
    close_code: int = 1000
    with_token: bool = True


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Bytes on a port, on so many connections that are then held open."""

    data: bytes
    connections: int = 1
    stays_s: float = 1.0
    to: Literal["gateway", "edge"] = "gateway"


@dataclass(frozen=True, kw_only=True)
class Put:
    """A record on a topic (its name without the prefix), as a Kafka client writes it."""

    topic: str
    key: bytes | None
    value: bytes | None
    times: int = 1


def filled(step: "Step", kept: Mapping[str, str]) -> "Step":
    """The step with what was kept before it."""
    if not kept:
        return step
    if isinstance(step, Request):
        told = None if step.body is None else _told(step.body, kept)
        return replace(step, path=_told(step.path.encode(), kept).decode(), body=told)
    if isinstance(step, Frames):
        texts = [one if isinstance(one, bytes) else _told(one.encode(), kept).decode() for one in step.texts]
        return replace(step, texts=texts)
    return step


def _told(text: bytes, kept: Mapping[str, str]) -> bytes:
    for name, value in kept.items():
        text = text.replace(b"{{%b}}" % name.encode(), value.encode())
    return text


Step = Request | Frames | Raw | Put
Way = Literal["http", "socket", "bytes", "log"]


@dataclass(frozen=True, kw_only=True)
class Attacker:
    """Somebody who does these steps again and again. `case`: the number in the issue, 0: another one."""

    name: str
    way: Way
    case: int
    #: The steps, given the channel that is their own.
    steps: Callable[[str], Sequence[Step]]
    #: Channels of which they are the admin, beside their own grants: `{own}` is their channel.
    admin: bool = False
    can: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(MAY))
    #: Claims of the token that no issuer should make, if it has such: made when it is signed.
    claims: Callable[[], Mapping[str, object]] = dict
    #: Whether nothing that they ask for may be answered as if they might.
    refused: bool = False
    #: Rest between two turns.
    rest_s: float = 0.2

    @property
    def channel(self) -> str:
        """Their own channel."""
        return f"foe-{self.name}"

    @property
    def grants(self) -> dict[str, tuple[str, ...]]:
        """What the token says."""
        return {**self.can, **({"admin": (f"{self.channel}*", f"*:{self.channel}*")} if self.admin else {})}
