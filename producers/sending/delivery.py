"""What became of an event: delivered, or failed with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from kernel.errors import TouchlineError

_SHOWN: Final = 3
_NO_TOPIC: Final = frozenset({"_UNKNOWN_TOPIC", "UNKNOWN_TOPIC_OR_PART"})


#: What a producer may wait for beside Kafka's confirmation: that the fold has accepted the event.
Wait = Literal["accepted"]


class Delivered(NamedTuple):
    """Kafka holds the event on all in-sync replicas: where, and since when (None: not told).

    Of an event that was waited for until it was accepted, also its place in its stream and its id: a
    repeat's are those of the first one.
    """

    partition: int
    offset: int | None
    append_ms: int | None
    seq: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An event that Kafka does not hold, as far as is known; and why."""

    #: Its place among those that were given, from 0 as `enumerate` has it. Sentences count from 1.
    index: int
    post: Any
    error: TouchlineError


class SomeNotDelivered(TouchlineError):  # noqa: N818 - it reads as what it says
    """Of several events some were not delivered: `failures` names each, `delivered` counts the others."""

    def __init__(self, delivered: int, failures: Sequence[Failure]) -> None:
        shown = "; ".join(f"no. {f.index + 1}: {f.error.message}" for f in failures[:_SHOWN])
        more = f"; and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
        count = "1 event was" if len(failures) == 1 else f"{len(failures)} events were"
        super().__init__("not_delivered", f"{count} not delivered, {delivered} delivered: {shown}{more}")
        self.delivered = delivered
        self.failures = tuple(failures)


def failed(error: Any) -> TouchlineError:
    """A KafkaError of a delivery report (or of produce) as an error of ours."""
    if error.name() == "MSG_SIZE_TOO_LARGE":
        return TouchlineError("too_large", "The broker refused the event as too large.")
    if error.name() in _NO_TOPIC:
        return TouchlineError(
            "not_delivered",
            "Kafka has no topic for the event.",
            hint="Make it with `touchline topics apply`.",
        )
    return TouchlineError(
        "not_delivered",
        f"Kafka did not confirm the event: {error.str()}.",
        hint="It may be on the log all the same; sent again under the same key it counts once.",
    )


def where(message: Any) -> Delivered:
    """A delivery report's place. A batch that had to be sent again may come back without its offset."""
    offset, (kind, ms) = message.offset(), message.timestamp()
    return Delivered(
        message.partition(), offset if offset is not None and offset >= 0 else None, ms if kind == 2 else None
    )
