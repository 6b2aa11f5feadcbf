"""What an entity is to the mechanism: where its records lie, and how a record says what it is made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

S = TypeVar("S")

#: Bytes of a record's value at most. What grows without a bound is a record a pair.
MAX_STATE_BYTES: Final = 64 * 1024
#: Header of a tombstone: what a state's stamp says elsewhere. Without it, an input that is read again would
#: bring back what it removed.
STAMP: Final = "touchline-stamp"
#: Between the two of a pair's key.
PAIR: Final = b"\0"


class Stamp(NamedTuple):
    """How new a record is, and which inputs it has in it."""

    #: Counts up with each change: of two records of a key the one with the higher revision holds.
    revision: int = 0
    #: Partition of the inputs' topic (`source`) -> the offset after the last input that shaped the record.
    places: Mapping[str, int] = {}

    def covers(self, source: str, offset: int) -> bool:
        """Whether this input, or a later one of its partition, is in it."""
        return offset < self.places.get(source, 0)

    def after(self, source: str, offset: int) -> "Stamp":
        """The stamp once this input is in it."""
        # Of a topic of inputs that was made anew, older places say nothing.
        topic = source.rpartition("-")[0]
        kept = {s: at for s, at in self.places.items() if not topic or s.rpartition("-")[0] in ("", topic)}
        return Stamp(self.revision + 1, {**kept, source: offset + 1})

    def to_header(self) -> bytes:
        """For a tombstone, which has no value that could say it."""
        places = ",".join(f"{source}={offset}" for source, offset in self.places.items())
        return f"{self.revision};{places}".encode()

    @classmethod
    def from_header(cls, text: bytes) -> "Stamp":
        """Read it again. What is no stamp says nothing, and holds against nothing."""
        try:
            revision, _, places = text.decode().partition(";")
            pairs = (pair.rpartition("=") for pair in places.split(",") if pair)
            return cls(int(revision), {source: int(offset) for source, _, offset in pairs})
        except ValueError:
            return cls()


def source_of(topic_id: str, partition: int) -> str:
    """The name of a partition of inputs. A topic that is made anew has another: its offsets begin again."""
    return f"{topic_id[:8]}-{partition}"


def whole_key(key: bytes) -> bytes:
    """The entity's key is the record's."""
    return key


def pair_key(entity: str, other: str) -> bytes:
    """The key of a record a pair: it lies with the entity's own, and is found by `prefix_of`."""
    return entity.encode() + PAIR + other.encode()


def prefix_of(entity: str) -> bytes:
    """What the keys of all of an entity's pairs begin with."""
    return entity.encode() + PAIR


def entity_of_pair(key: bytes) -> bytes:
    """The entity of a pair's key."""
    return key.partition(PAIR)[0]


@dataclass(frozen=True, kw_only=True)
class EntityType(Generic[S]):
    """One sort of entity. Pure functions, but for the codec's."""

    #: Of tables in files, and in messages: letters only.
    name: str
    #: The compacted topic of its records.
    topic: str
    #: A record's value; `decode` raises TouchlineError for what is none.
    encode: Callable[[S], bytes]
    decode: Callable[[bytes], S]
    stamp_of: Callable[[S], Stamp]
    with_stamp: Callable[[S, Stamp], S]
    #: The part of a record's key by which it is partitioned.
    entity_of: Callable[[bytes], bytes] = whole_key
    #: Bits under which a record is listed (`View.listed`), of its key and value. None: nothing is listed, and
    #: nothing is decoded while a table is filled.
    flags: Callable[[bytes, S], int] | None = None
    #: The same, off a value's bytes, for types of which there are many: to decode a million takes twenty
    #: seconds. Raises TouchlineError.
    peek: Callable[[bytes, bytes], int] | None = None
    #: Whether few of them are listed: their keys are held in memory, and found there.
    few_listed: bool = False


#: For what holds types of several sorts.
AnyType = EntityType[Any]
