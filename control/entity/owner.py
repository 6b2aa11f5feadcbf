"""The owner of states: folds the inputs of the partitions that are its own, and writes whole records.

It runs in the worker that has the inputs' partition. What it writes is on its way while the next input is
folded, so it goes by its own writes first, and by the table for all else.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from control.entity.fold import EntityFold, Input, Written, fold_input
from control.entity.known import Known
from control.entity.tables import Tables
from control.entity.types import AnyType, source_of
from control.entity.writer import Writer, partition_of_key
from kernel.errors import TouchlineError
from kernel.log.records import ORIGIN, Headers, Partition, Record, Write
from kernel.process.lines import Lines
from schemas.rejections import FAULTS, unexpected

_lines = Lines("touchline.owner")

#: Decodes an input's value; raises TouchlineError.
Decode = Callable[[bytes], Any]
#: The fold for what an input says; raises TouchlineError where there is none.
Route = Callable[[Any], EntityFold[Any]]
#: What is written of a refused input (place, record, decoded value or None, error).
Refuse = Callable[[Partition, Record, Any, TouchlineError], list[Write]]


class Owner:
    """One topic of inputs, of all types that are fed from it."""

    def __init__(
        self,
        topic: str,
        tables: Tables,
        *,
        decode: Decode,
        route: Route,
        refuse: Refuse,
        source: Callable[[str, int], str] = source_of,
    ) -> None:
        self._topic, self._tables, self._source = topic, tables, source
        self._decode, self._route, self._refuse = decode, route, refuse
        self._topic_id = ""
        self._inputs = 1
        self._writer = Writer(tables)
        self._mine: frozenset[int] = frozenset()

    async def opening(
        self, mine: Sequence[int], *, topic_id: str, inputs: int, partitions: Mapping[str, int]
    ) -> None:
        """These partitions of the inputs are this worker's now.

        `inputs` is how many there are, `partitions` the same of each topic of states. Returns once all that
        was written of states before is in the table: what an owner before this one did is known then.
        """
        self._topic_id, self._inputs, self._writer.partitions = topic_id, inputs, partitions
        self._mine = frozenset()
        if mine:
            await self._tables.at_end()
        self._mine = frozenset(mine)

    def owns(self, entity: bytes) -> bool:
        """Whether this worker is the one that changes it."""
        return partition_of_key(entity, self._inputs) in self._mine

    def fold(self, place: Partition, records: Sequence[Record]) -> list[Write]:
        """These inputs; returns what is to be written, in this order."""
        writes: list[Write] = []
        for record in records:
            key, value = record.key or b"", None
            right = partition_of_key(key, self._inputs)
            if right != place.partition:
                writes.append(self.put_right(place, record, right))
                continue
            try:
                value = self._decode(record.value or b"")
                how = self._route(value)
                source, offset = self.origin(place, record)
                given = Input(key, value, record.append_ms, source, offset)
                view = self._tables.view(how.type)
                for written in fold_input(how, given, view.known):
                    writes += self.write(how.type, written)
            except TouchlineError as error:
                writes += self._refuse(place, record, value, error)
            except FAULTS:
                raise
            except Exception as error:
                # Whatever is wrong with an input ends that input, and nothing else.
                writes += self._refuse(place, record, value, unexpected(error, "command"))
        return writes

    def write(self, type_: AnyType, written: Written[Any]) -> list[Write]:
        """The key is so from now on; returns what says so."""
        return self._writer.write(type_, written)

    def rewrite(self, type_: AnyType, key: bytes, known: Known[Any]) -> list[Write]:
        """Something older was written after this, and compaction would keep that: write this again."""
        if not self.owns(type_.entity_of(key)):
            return []
        about = {"type": type_.name, "key": key, "revision": known.stamp.revision}
        _lines.warning("a state is written again", type_.name, **about)
        value = None if known.state is None else type_.encode(known.state)
        return self.write(type_, Written(key, known, value))

    def origin(self, place: Partition, record: Record) -> tuple[str, int]:
        """Source and offset of an input: where it lay before it was put into the right partition."""
        origin = origin_of(record.headers) if record.headers else None
        if origin is not None:
            source, _, offset = origin.decode("ascii", "replace").rpartition(":")
            if source and offset.isdigit():
                return source, int(offset)
        return self.source(place), record.offset

    def source(self, place: Partition) -> str:
        """The name of a partition of the inputs, as stamps have it."""
        return self._source(self._topic_id, place.partition)

    def put_right(self, place: Partition, record: Record, right: int) -> Write:
        """Into its own partition: posted before partitions were added, or by a producer with a partitioner of
        its own."""
        headers: Headers = list(record.headers or ())
        if origin_of(headers) is None:
            headers.append((ORIGIN, f"{self.source(place)}:{record.offset}".encode()))
        return Write(self._topic, record.value, record.key, right, headers=headers)


def origin_of(headers: Headers | None) -> bytes | None:
    """Where an input that was put into the right partition first lay."""
    for name, value in headers or ():
        if name == ORIGIN and isinstance(value, bytes):
            return value
    return None
