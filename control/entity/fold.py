"""What an input does to states: the part that is the same for all entities. Pure.

A fold is a function of an input and of the states before it. Inputs are read again after a crash: what is in
a state already (its stamp says so) changes nothing, and is not refused either.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple

from control.entity.known import Known
from control.entity.types import MAX_STATE_BYTES, EntityType, S, Stamp
from kernel.errors import TouchlineError


class Input(NamedTuple):
    """A record of the inputs' topic."""

    key: bytes
    #: What it says, decoded.
    value: Any
    append_ms: int
    #: Where it lies, or lay before it was put into the right partition.
    source: str
    offset: int


class Change(NamedTuple, Generic[S]):
    """A key's new state; None removes it."""

    key: bytes
    state: S | None


class Written(NamedTuple, Generic[S]):
    """The same, ready to be written."""

    key: bytes
    known: Known[S]
    value: bytes | None


#: Takes an input and a look at states before it; raises TouchlineError to refuse the input.
FoldInput = Callable[[Input, Callable[[bytes], S | None]], Sequence[Change[S]]]


def by_key(given: Input) -> bytes:
    """The input's own key is the state's."""
    return given.key


@dataclass(frozen=True, kw_only=True)
class EntityFold(Generic[S]):
    """How inputs of one sort change entities of one type.

    `decides` names the state by which it is told whether an input was folded before. Where an input changes
    several records, that one's change comes last: records of one partition are on the log in their order, so
    a crash between them leaves the deciding one undone, and what is done is skipped.
    """

    type: EntityType[S]
    fold: FoldInput[S]
    decides: Callable[[Input], bytes] = by_key


def fold_input(how: EntityFold[S], given: Input, known: Callable[[bytes], Known[S]]) -> list[Written[S]]:
    """What is to be written of this input. Raises TouchlineError where it is refused, as a whole."""
    if known(how.decides(given)).stamp.covers(given.source, given.offset):
        return []
    changes = how.fold(given, lambda key: known(key).state)
    written: list[Written[S]] = []
    for key, state in changes:
        before = known(key)
        if before.stamp.covers(given.source, given.offset):
            continue
        written.append(_written(how.type, key, state, before, before.stamp.after(given.source, given.offset)))
    return written


def _written(type_: EntityType[S], key: bytes, state: S | None, before: Known[S], stamp: Stamp) -> Written[S]:
    if state is None:
        return Written(key, Known(None, stamp, before.partitions), None)
    state = type_.with_stamp(state, stamp)
    value = type_.encode(state)
    if len(value) + len(key) > MAX_STATE_BYTES:
        raise TouchlineError(
            "too_large",
            f"What is kept ({type_.name}) of {key[:128].decode('utf-8', 'replace')!r} would have"
            f" {len(value) + len(key)} bytes; {MAX_STATE_BYTES} are allowed.",
        )
    return Written(key, Known(state, stamp, before.partitions), value)
