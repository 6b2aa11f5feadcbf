"""The messages about reactions and polls: docs/crowd.md."""

from typing import Annotated

from msgspec import Meta, field

from consumers.protocol.shapes import ClientTime, Key, Reply, Request, StreamName

_Target = Annotated[str, Meta(pattern="^[0-9]{1,40}$", description="an event's id")]
_With = Annotated[str, Meta(min_length=1, max_length=32, description="an emoji, or a name like `:goal:`")]
_Poll = Annotated[str, Meta(pattern="^[0-9]{1,40}$", description="the id of the poll's event")]


class React(Request, frozen=True, tag="react"):
    """Applaud a stream, or react to an event of it; answered (`ok`) once Kafka holds it."""

    stream: StreamName
    with_: _With = field(name="with")
    target: _Target | None = None
    off: Annotated[bool, Meta(description="take a reaction to an event back")] = False
    n: Annotated[int, Meta(ge=1, le=100, description="how many applauses")] = 1
    key: Key | None = None
    client_ts: ClientTime | None = None


class Vote(Request, frozen=True, tag="vote"):
    """Vote in a poll, or for another option than before; answered (`ok`) once it counts."""

    stream: StreamName
    poll: _Poll
    option: Annotated[int, Meta(ge=0, le=1000, description="from 0")]


class Reactions(Reply, frozen=True, tag="reactions"):
    """What reactions have come to: of a stream, or (`target`) of an event of it."""

    stream: str
    target: str | None
    totals: dict[str, int]
    per_s: Annotated[
        dict[str, float], Meta(description="of the last two seconds, of what has come more often")
    ]


class PollNews(Reply, frozen=True, tag="poll"):
    """How a poll stands."""

    stream: str
    poll: str
    counts: list[int]
    voters: int
    open: bool
