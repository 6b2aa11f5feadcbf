"""Events as programs hold them: typed, read from the JSON that viewers, history and search show."""

from typing import Any, Final

import msgspec


class Event(msgspec.Struct, kw_only=True, frozen=True):
    """An event as PROTOCOL shows it. Unknown fields are skipped: later versions may add some."""

    stream: str
    seq: int
    id: str
    type: str
    server_ts: str
    data: dict[str, Any]
    prev: int | None = None
    #: Its number in its stream, where the channel is numbered; edits and retractions have none.
    n: int | None = None
    key: str | None = None
    sender: str | None = None
    client_ts: str | None = None
    #: It was taken back: its `data` says nothing.
    retracted: bool = False
    #: In pages of the past: how many replies it has.
    replies: int = 0


_decode: Final = msgspec.json.Decoder(Event).decode


def read_event(body: bytes | str) -> Event:
    """Read an event's JSON object. Raises msgspec.DecodeError."""
    return _decode(body)


class ChatBody(msgspec.Struct, omit_defaults=True):
    """`data` of a chat event."""

    text: str = ""
    target: str | None = None


class LocationBody(msgspec.Struct, omit_defaults=True):
    """`data` of a location event."""

    lat: float
    lon: float
    accuracy: float | None = None
    heading: float | None = None
    speed: float | None = None


class EventBody(msgspec.Struct, omit_defaults=True):
    """An event's JSON object in the order in which it is written; what has its default is left out."""

    stream: str
    seq: int
    id: str
    # From here on every field needs a default, for the sake of those that may be absent; these never have it.
    n: int | None = None
    members_at: int | None = None
    key: str | None = None
    type: str = ""
    sender: str | None = None
    client_ts: str | None = None
    server_ts: str = ""
    data: ChatBody | LocationBody | msgspec.Raw | None = None
