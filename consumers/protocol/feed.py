"""The messages of feeds: what the channels post that a user follows."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from consumers.protocol.shapes import Reply, Request

EventId = Annotated[str, Meta(pattern="^[0-9]{1,40}$", description="an event's id")]


class Feed(Request, frozen=True, tag="feed"):
    """What the channels post that the user follows: a page of it, then what comes, as it comes."""

    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    before: EventId | None = None
    after: EventId | None = None
    off: Annotated[bool, Meta(description="no more of it")] = False


class FeedReply(Reply, frozen=True, tag="feed"):
    """A page of the feed, the newest event first; without `id`: events that came, and with `more`: beside
    others, which `after` finds."""

    events: list[msgspec.Raw]
    more: bool | UnsetType = UNSET
