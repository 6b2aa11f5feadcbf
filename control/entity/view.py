"""What a role sees of one sort of entity: looked up in the table on disk, held in memory while it is used."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from threading import RLock
from typing import Final, Generic

from control.entity.known import Known, newest
from control.entity.stores.store import Store
from control.entity.types import PAIR, EntityType, S, prefix_of
from kernel.errors import TouchlineError

#: Entities that are kept decoded, beside those that are watched.
REMEMBERED: Final = 10_000
#: And as they lie on disk together at most so large: decoded that is six times as much. Of larger ones fewer.
REMEMBERED_BYTES: Final = 16 * 1024 * 1024
#: What is larger is read again rather than kept for as long as somebody watches it.
_LARGE: Final = 4 * 1024
_PAGE: Final = 1000
_ANY: Final = 0xFF


class _All(set[bytes]):
    """Every key there is, for whoever asks which of theirs are in it."""

    def __rand__(self, keys: object) -> object:
        return keys


class View(Generic[S]):
    """One type's entities. Any thread may ask; who watches is called by the thread that brings the change."""

    def __init__(
        self, type_: EntityType[S], *, remembered: int = REMEMBERED, remembered_bytes: int = REMEMBERED_BYTES
    ) -> None:
        self.type, self._most, self._most_bytes = type_, remembered, remembered_bytes
        #: Keys of which something is held in memory: the follower says when they change.
        self.in_use: set[bytes] = set()
        self._store: Store | None = None
        self._remembered: OrderedDict[bytes, Known[S]] = OrderedDict()
        #: How large these are together.
        self.bytes = 0
        #: The keys that are on lists, with their flags, where the type's are few.
        self.lists: dict[bytes, int] = {}
        #: How large the records of these are.
        self._list_sizes: dict[bytes, int] = {}
        self._watched: dict[bytes, Known[S]] = {}
        self._callbacks: dict[bytes, list[Callable[[bytes, S | None], None]]] = {}
        #: Of entities whose pairs are all watched, those that come too; and of all there are.
        self._of_entity: dict[bytes, list[Callable[[bytes, S | None], None]]] = {}
        self._of_all: list[Callable[[bytes, S | None], None]] = []
        #: What the owner has written, and the topic has not brought back yet.
        self._own: dict[bytes, Known[S]] = {}
        #: Of these, the keys that the table does not have yet.
        self._made: set[bytes] = set()
        #: Called with a key when what was known of it holds no more, or is only forgotten.
        self.on_forget: Callable[[bytes], None] | None = None
        #: Whether somebody goes by what was read of a key, though it is not in memory any more: they hear of
        #: changes all the same.
        self.still_used: Callable[[bytes], bool] | None = None
        self._faded: set[bytes] = set()
        self._faded_at_sweep = remembered
        #: The indexer's threads ask beside its loop.
        self._lock = RLock()
        #: Called where something older has come after what is known.
        self.on_stale: Callable[[bytes, Known[S]], None] | None = None
        self._tell_all: Callable[[Iterable[bytes]], None] | None = None

    def tell_all(self, tell: Callable[[Iterable[bytes]], None]) -> None:
        """Call this with all keys that change, once the table is filled, whoever asks for them: only of what
        is few. To be said before the table is followed."""
        self.in_use, self._tell_all = _All(), tell

    def open(self, store: Store) -> None:
        """The table is filled."""
        self._store = store
        if self.type.few_listed:
            for row in store.listed(self.type.name, _ANY):
                self.lists[row.key] = self.lists.get(row.key, 0) | row.flags
                self._list_sizes[row.key] = len(row.value)
        for key in list(self._callbacks):
            self._refresh(key)

    # ── readers ────────────────────────────────────────────────────────────────────────────────────────

    def get(self, key: str | bytes) -> S | None:
        """The entity's state; None where there is none. Raises `unavailable` before the table is filled."""
        return self.known(key if isinstance(key, bytes) else key.encode()).state

    def on_disk(self, key: bytes) -> S | None:
        """The state as the table has it now, which may be newer than what is held: of that changes are told a
        moment later. For who has read another record there that says this one is in it."""
        return newest(self.type, key, self._opened.get(self.type.name, key)).state

    def known(self, key: bytes) -> Known[S]:
        """The same as `get`, and how new it is."""
        with self._lock:
            found = self._own.get(key) or self._watched.get(key)
            if found is not None:
                return found
            found = self._remembered.get(key)
            if found is None:
                self._faded.discard(key)
                self._keep(key, found := self._read(key))
            else:
                self._remembered.move_to_end(key)
            return found

    def values(self, keys: Sequence[bytes]) -> dict[bytes, S | bytes]:
        """What there is of these keys: as a state where it is in memory, else as its bytes, which are read at
        once for all of them and not kept. That they change is told where `still_used` says so."""
        found: dict[bytes, S | bytes] = {}
        missing: list[bytes] = []
        with self._lock:
            for key in keys:
                known = self._own.get(key) or self._watched.get(key) or self._remembered.get(key)
                if known is None:
                    missing.append(key)
                elif known.state is not None:
                    found[key] = known.state
            heard = [key for key in missing if self.still_used is not None and self.still_used(key)]
            self.in_use.update(heard)
            self._faded.update(heard)
            rows = sorted(self._opened.get_many(self.type.name, missing), key=attrgetter("key"))
            for key, of_key in groupby(rows, attrgetter("key")):
                copies = list(of_key)
                if len(copies) == 1 and copies[0].gone_ms is None:
                    found[key] = copies[0].value
                elif (state := newest(self.type, key, copies).state) is not None:
                    found[key] = state
        return found

    def watch(self, key: str, callback: Callable[[bytes, S | None], None]) -> S | None:
        """The entity's state now, and `callback(key, state)` at each change of it, until `unwatch`."""
        raw = key.encode()
        self._callbacks.setdefault(raw, []).append(callback)
        if self._store is None:
            return None
        known = self.known(raw)
        self._hold(raw, known)
        return known.state

    def unwatch(self, key: str, callback: Callable[[bytes, S | None], None]) -> None:
        """End it."""
        raw = key.encode()
        callbacks = self._callbacks.get(raw, [])
        if callback in callbacks:
            callbacks.remove(callback)
        if not callbacks:
            self._callbacks.pop(raw, None)
            self._watched.pop(raw, None)
            self._forget(raw)

    def watch_pairs(self, entity: str, callback: Callable[[bytes, S | None], None]) -> None:
        """`callback(key, state)` at each change of a record of an entity's pairs, until `unwatch_pairs`.
        Those that are there are found by `scan`, afterwards."""
        self._of_entity.setdefault(prefix_of(entity), []).append(callback)

    def unwatch_pairs(self, entity: str, callback: Callable[[bytes, S | None], None]) -> None:
        """End it."""
        callbacks = self._of_entity.get(prefix_of(entity), [])
        if callback in callbacks:
            callbacks.remove(callback)
        if not callbacks:
            self._of_entity.pop(prefix_of(entity), None)

    def watch_all(self, callback: Callable[[bytes, S | None], None]) -> None:
        """The same for all records, of a type whose records change seldom."""
        self._of_all.append(callback)

    def of_interest(self, keys: set[bytes]) -> set[bytes]:
        """Of keys that have changed those of which this view has to hear. The follower's thread asks."""
        if self._of_all:
            return keys
        if not self._of_entity:
            return keys & self.in_use
        return {key for key in keys if key in self.in_use or _prefix(key) in self._of_entity}

    def scan(self, prefix: bytes, *, after: bytes = b"", limit: int = _PAGE) -> list[tuple[bytes, S]]:
        """Entities whose keys begin with `prefix` and lie behind `after`, in the order of keys."""
        found = self._scan(prefix, after, limit)
        # What the owner has made a moment ago is not in the table yet.
        made = [key for key in self._made if key > after and key.startswith(prefix)] if self._made else ()
        if not made:
            return found
        own = [(key, state) for key in made if (state := self._own[key].state) is not None]
        return sorted({**dict(own), **dict(found)}.items())[:limit]

    def _scan(self, prefix: bytes, after: bytes, limit: int) -> list[tuple[bytes, S]]:
        found: list[tuple[bytes, S]] = []
        page = min(_PAGE, limit + 1)
        while True:
            rows = self._opened.scan(self.type.name, prefix, after, page)
            for key, of_key in groupby(rows, attrgetter("key")):
                after = key
                # The last key's rows may go on behind the page.
                copies = self._opened.get(self.type.name, key) if key == rows[-1].key else list(of_key)
                state = (self._own.get(key) or newest(self.type, key, copies)).state
                if state is not None:
                    found.append((key, state))
                    if len(found) == limit:
                        return found
            if len(rows) < page:
                return found

    def keys(self, *, prefix: bytes = b"", after: bytes, limit: int) -> tuple[list[bytes], bool]:
        """So many keys behind `after`, in order, without reading what they say (some may be removed); and
        whether there may be more."""
        rows = self._opened.scan(self.type.name, prefix, after, limit)
        return list(dict.fromkeys(row.key for row in rows)), len(rows) == limit

    def listed(self, flag: int, wanted: Callable[[bytes], bool] | None = None) -> Iterator[tuple[bytes, S]]:
        """Entities that have this flag now (the type says which it has), of those whose keys are `wanted`."""
        return (found for found in self.walk_listed(flag, wanted) if found is not None)

    def walk_listed(
        self, flag: int, wanted: Callable[[bytes], bool] | None = None
    ) -> Iterator[tuple[bytes, S] | None]:
        """The same, and None for each that is passed over: whoever walks in turns can stop there."""
        flags = self.type.flags
        for key in self.keys_listed(flag):
            if wanted is not None and not wanted(key):
                yield None
                continue
            state = self.known(key).state  # asked for again and again: it is read once
            # A copy in another partition may be newer.
            yield (
                (key, state) if state is not None and flags is not None and flags(key, state) & flag else None
            )

    def keys_listed(self, flag: int) -> Iterator[bytes]:
        """The keys that have this flag in some partition."""
        store = self._opened
        if self.type.few_listed:
            return (key for key, flags in list(self.lists.items()) if flags & flag)
        return iter(dict.fromkeys(row.key for row in store.listed(self.type.name, flag)))

    @property
    def is_open(self) -> bool:
        """Whether the table is filled."""
        return self._store is not None

    def count(self) -> int:
        """About how many there are: in the table, and on their way to it."""
        return self._opened.count(self.type.name) + len(self._made)

    @property
    def _opened(self) -> Store:
        if self._store is None:
            raise TouchlineError(
                "unavailable", f"What is set ({self.type.name}) was not read yet: try again in a moment."
            )
        return self._store

    # ── the owner ──────────────────────────────────────────────────────────────────────────────────────

    def wrote(self, key: bytes, known: Known[S]) -> None:
        """This is what the key is from now on: it is on its way to the topic."""
        self.in_use.add(key)
        if key not in self._own and not self.known(key).partitions:
            self._made.add(key)
        self._own[key] = known
        self._drop(key)
        self._notify(key, known)

    # ── what the follower says ─────────────────────────────────────────────────────────────────────────

    def changed(self, keys: Sequence[bytes] | set[bytes]) -> None:
        """These have changed in the table."""
        with self._lock:
            for key in keys:
                if self.type.few_listed:
                    self._relist(key)
                self._refresh(key)
        if self._tell_all is not None:
            self._tell_all(keys)

    def _relist(self, key: bytes) -> None:
        flags = size = 0
        for row in self._opened.get(self.type.name, key):
            if row.gone_ms is None:
                flags, size = flags | row.flags, size + len(row.value)
        if flags:
            self.lists[key], self._list_sizes[key] = flags, size
        else:
            self.lists.pop(key, None)
            self._list_sizes.pop(key, None)

    def size_listed(self, key: bytes) -> int:
        """How large the records of a key are that is on a list, where the type's are few."""
        return self._list_sizes.get(key, 0)

    def _refresh(self, key: bytes) -> None:
        before = self._own.get(key) or self._watched.get(key) or self._remembered.get(key)
        if before is None and key not in self._callbacks and not self._watchers_of(key):
            faded = key in self._faded
            self._faded.discard(key)
            self.in_use.discard(key)
            if faded and self.on_forget is not None:
                self.on_forget(key)
            return
        now = self._read(key)
        # Nobody's fold removes without a stamp: that is an operator, who means it.
        by_hand = now.removed_by_hand and key not in self._own
        if before is not None and now.stamp.revision < before.stamp.revision and not by_hand:
            # Of the owner's own writes some are under way. Anybody else's was written without knowing better.
            if key not in self._own and self.on_stale is not None:
                self.on_stale(key, before)
            return
        self._own.pop(key, None)
        self._made.discard(key)
        if key in self._callbacks:
            self._hold(key, now)
        else:
            self._keep(key, now)
        if before is None or now.state != before.state:
            self._notify(key, now)

    def _notify(self, key: bytes, known: Known[S]) -> None:
        if key in self._callbacks and key not in self._remembered:
            self._hold(key, known)
        if self.on_forget is not None:
            self.on_forget(key)
        for callback in (*self._callbacks.get(key, ()), *self._watchers_of(key)):
            callback(key, known.state)

    def _watchers_of(self, key: bytes) -> Sequence[Callable[[bytes, S | None], None]]:
        """Who hears of it because of what it is one of."""
        if not self._of_entity:
            return self._of_all
        return (*self._of_all, *self._of_entity.get(_prefix(key), ()))

    # ── the table ──────────────────────────────────────────────────────────────────────────────────────

    def _read(self, key: bytes) -> Known[S]:
        # Known first, then read: what changes in between is told, and read again.
        self.in_use.add(key)
        return newest(self.type, key, self._opened.get(self.type.name, key))

    def _hold(self, key: bytes, known: Known[S]) -> None:
        """Somebody watches it."""
        if known.size > _LARGE:
            self._watched.pop(key, None)
            self._keep(key, known)
        else:
            self._drop(key)
            self._watched[key] = known

    def _keep(self, key: bytes, known: Known[S]) -> None:
        self._drop(key)
        self._remembered[key] = known
        self.bytes += known.size
        while len(self._remembered) > self._most or (
            self.bytes > self._most_bytes and len(self._remembered) > 1
        ):
            eldest, gone = self._remembered.popitem(last=False)
            self.bytes -= gone.size
            self._forget(eldest)

    def _drop(self, key: bytes) -> None:
        if (known := self._remembered.pop(key, None)) is not None:
            self.bytes -= known.size

    def _sweep(self) -> None:
        """Let go of those that nobody uses any more."""
        gone = {key for key in self._faded if self.still_used is not None and not self.still_used(key)}
        self._faded -= gone
        self.in_use -= gone - self._remembered.keys() - self._watched.keys() - self._own.keys()
        self._faded_at_sweep = max(self._most, len(self._faded))

    def _forget(self, key: bytes) -> None:
        if key in self._own or key in self._watched or key in self._remembered or key in self._callbacks:
            return
        if self.still_used is not None and self.still_used(key):
            self._faded.add(key)
            if len(self._faded) > 2 * self._faded_at_sweep:
                self._sweep()
            return
        self.in_use.discard(key)
        if self.on_forget is not None:
            self.on_forget(key)


def _prefix(key: bytes) -> bytes:
    entity, between, _ = key.partition(PAIR)
    return entity + between
