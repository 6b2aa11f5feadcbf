"""What the decisions of one ingest partition rest on, and what comes of them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from control.counts import Count
from kernel.fairness.paces import Paces
from kernel.log.records import Write
from streams.crowd.channel_counters import Heard
from streams.fold.checks.fair_shares import Shares
from streams.fold.checks.moves import Move, Moved, Moves
from streams.fold.checks.repeats import Repeats
from streams.fold.states import States


@dataclass
class Outcome:
    """What came of some records."""

    writes: list[Write] = field(default_factory=list)
    #: Channels of the accepted events, with their counts.
    accepted: Counter[bytes] = field(default_factory=Counter)
    repeated: int = 0
    replaced: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    #: Messages of channels that are counted.
    said: list[Heard] = field(default_factory=list)
    #: Where users are now.
    moved: list[Moved] = field(default_factory=list)


class AcceptedEvent(NamedTuple):
    """What an accepted event tells of the decision about it."""

    channel: str
    offset: int
    append_ms: int
    key: str | None
    sender: str | None
    origin: bytes | None
    #: The event's bytes, where it came by a door.
    shared: int | None = None
    #: Its number, where it has one.
    n: int | None = None
    move: Move | None = None
    #: Whether it changes another one.
    changes: bool = False


@dataclass
class Memory:
    """What the decisions of one partition rest on. It can be built again from touchline.events."""

    repeats: Repeats
    paces: Paces = field(default_factory=Paces)
    shares: Shares = field(default_factory=Shares)
    moves: Moves = field(default_factory=Moves)
    #: Decisions about offsets below this one were taken before, by a worker that may be gone …
    decided_until: int = 0
    #: … and these were accepted …
    decided: frozenset[int] = frozenset()
    #: … some of them with a number.
    numbers: Mapping[int, int] = field(default_factory=dict)
    #: How far the partition's streams are counted, by channel; what is kept of that lies in touchline.counts.
    counts: States[Count] = field(default_factory=lambda: States(lambda _: None))
