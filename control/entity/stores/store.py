"""What a table on disk has to offer. It is a copy of topics: whatever is wrong with it, it is thrown away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol


class Row(NamedTuple):
    """The last record of a key in one partition."""

    key: bytes
    partition: int
    #: The bits under which it is listed.
    flags: int
    #: When it was removed (append time); None while it is there.
    gone_ms: int | None
    #: Its bytes; of what was removed the stamp.
    value: bytes


#: Table -> partition -> the offset of the next record.
Offsets = Mapping[str, Mapping[int, int]]


class Store(Protocol):
    """One writer, the follower's thread; readers in any thread. Tables have the names of entity types."""

    @property
    def loaded(self) -> bool:
        """Whether it has been filled once. Until then rows are only appended, and nothing can be read."""

    def offsets(self, table: str) -> dict[int, int]:
        """Where each partition goes on."""

    def load(self, table: str, rows: Sequence[Row]) -> None:
        """Append rows while it is being filled: of a key and partition the last one counts."""

    def finish_load(self, offsets: Offsets) -> None:
        """All is in it; from now on it can be read. A process that dies before this begins anew."""

    def apply(self, changes: Mapping[str, Iterable[Row]], offsets: Offsets) -> None:
        """Take rows, one a key and partition, and offsets: all of it, or (where the process dies) nothing."""

    def count(self, table: str) -> int:
        """How many rows there are."""

    def get(self, table: str, key: bytes) -> list[Row]:
        """The key's rows: one, or one a partition where partitions were added."""

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[Row]:
        """The rows of all these keys, in no order."""

    def scan(self, table: str, prefix: bytes, after: bytes, limit: int) -> list[Row]:
        """Rows whose keys begin with `prefix` and lie behind `after`, in their order; also removed ones."""

    def listed(self, table: str, flag: int) -> Iterator[Row]:
        """Rows that have this bit."""

    def purge(self, before_ms: int) -> None:
        """Forget what was removed before this time."""

    def close(self) -> None:
        """Nobody reads or writes any more."""
