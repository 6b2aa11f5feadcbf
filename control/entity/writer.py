"""Writing states: a whole record where it belongs; this role's own view goes by it from then on."""

from collections.abc import Mapping
from typing import Any

from control.entity.fold import Written
from control.entity.tables import Tables
from control.entity.types import STAMP, AnyType
from kernel.log.positions import murmur2
from kernel.log.records import Headers, Write


class Writer:
    """For whoever owns states, whatever their inputs are."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        #: Topic of states -> its partitions, as they are now.
        self.partitions: Mapping[str, int] = {}

    def write(self, type_: AnyType, written: Written[Any]) -> list[Write]:
        """The key is so from now on; returns what says so."""
        key, known, value = written
        right = partition_of_key(type_.entity_of(key), self.partitions[type_.topic])
        headers: Headers | None = None if value is not None else [(STAMP, known.stamp.to_header())]
        # Records from before partitions were added lie elsewhere. The newer one holds wherever it lies, so
        # they stay: roles of the version before read the first partition only, and would take a tombstone
        # there for the end of it. They go when the key goes.
        old = [p for p in known.partitions if p != right]
        gone = [Write(type_.topic, None, key, p, headers=headers) for p in old if value is None]
        self._tables.view(type_).wrote(key, known._replace(partitions=() if value is None else (*old, right)))
        return [*gone, Write(type_.topic, value, key, right, headers=headers)]


def partition_of_key(key: bytes, partitions: int) -> int:
    """Where Kafka's default partitioner puts it."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
