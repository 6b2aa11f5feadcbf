"""What the messages of the viewer protocol are made of; `consumers.protocol.messages` has all of them."""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kernel.access.users import MAX_USER
from kernel.log.positions import MAX_SEQ

#: Streams, with a place of each, of one request.
MAX_SEQS: Final = 512

Id = Annotated[int, Meta(ge=1, le=MAX_SEQ, description="repeated by the reply")]
Seq = Annotated[int, Meta(ge=0, le=MAX_SEQ, description="a stream's sequence number; 0 is before the first")]
StreamName = Annotated[str, Meta(max_length=140, description="<kind>:<channel>")]
Key = Annotated[str, Meta(min_length=1, max_length=128, description="the producer's idempotency key")]
EventType = Annotated[str, Meta(min_length=1, max_length=64)]
ClientTime = Annotated[str | int, Meta(description="when it happened: RFC 3339, or milliseconds since 1970")]
User = Annotated[str, Meta(min_length=1, max_length=MAX_USER)]
Latitude = Annotated[float, Meta(ge=-90, le=90)]
Longitude = Annotated[float, Meta(ge=-180, le=180)]


class Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", omit_defaults=True):
    """What all requests have. Fields that are not known are ignored: newer clients may send more."""

    id: Id | None = None


class Reply(msgspec.Struct, frozen=True, kw_only=True, tag_field="op", omit_defaults=True):
    """What all replies have."""

    id: Id | None = None
