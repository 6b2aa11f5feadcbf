"""Records of the log, as every reader and writer hands them on: where they lie, what they hold."""

from typing import Final, NamedTuple

Headers = list[tuple[str, str | bytes | None]]

#: Header of a record that was put back, from a wrong partition or after it was refused: where it first lay.
#: The fold takes one of each origin.
ORIGIN: Final = "touchline-origin"
#: Header of a record that a door (edge, gateway) wrote for one of its users, who has a fair share.
VIA: Final = "touchline-via"
#: Header of an event that a door let somebody post who may change what others have said.
OFFICE: Final = "touchline-office"


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class Record(NamedTuple):
    """One record of the log."""

    offset: int
    append_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


class Write(NamedTuple):
    """A record to be written."""

    topic: str
    value: bytes | None
    key: bytes | None
    partition: int
    timestamp: int = 0
    headers: Headers | None = None
