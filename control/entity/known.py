"""What is known of an entity, and how new that is."""

from collections.abc import Sequence
from typing import Generic, NamedTuple

from control.entity.stores.store import Row
from control.entity.types import EntityType, S, Stamp
from kernel.errors import TouchlineError
from kernel.process.lines import Lines

_lines = Lines("touchline.state")


class Known(NamedTuple, Generic[S]):
    """What is known of a key."""

    #: None: there is none, or no more.
    state: S | None
    stamp: Stamp
    #: In which partitions records of it lie.
    partitions: tuple[int, ...] = ()
    #: Whether a tombstone without a stamp is the last record of it.
    removed_by_hand: bool = False
    #: How large its records are.
    size: int = 0


def newest(type_: EntityType[S], key: bytes, rows: Sequence[Row]) -> Known[S]:
    """Of a key's records, one a partition, the one that holds."""
    if len(rows) == 1 and rows[0].gone_ms is None:  # nearly always
        state = _decode(type_, key, rows[0].value)
        stamp = Stamp() if state is None else type_.stamp_of(state)
        return Known(state, stamp, (rows[0].partition,), size=len(rows[0].value))
    best: Known[S] = Known(None, Stamp())
    for row in rows:
        if row.gone_ms is not None:
            found: Known[S] = Known(None, Stamp.from_header(row.value))
        elif (state := _decode(type_, key, row.value)) is None:
            continue
        else:
            found = Known(state, type_.stamp_of(state))
        if found.stamp.revision >= best.stamp.revision:
            best = found
    return best._replace(
        partitions=tuple(row.partition for row in rows if row.gone_ms is None),
        removed_by_hand=any(row.gone_ms is not None and not row.value for row in rows),
        size=sum(len(row.value) for row in rows if row.gone_ms is None),
    )


def _decode(type_: EntityType[S], key: bytes, value: bytes) -> S | None:
    try:
        return type_.decode(value)
    except TouchlineError as error:
        about = {"type": type_.name, "key": key[:128], "why": error.message}
        _lines.warning("a state cannot be read", type_.name, **about)
        return None
