"""The table on disk, in RocksDB: for whoever sets `[state] store = "rocksdb"` (decision 0091)."""

import contextlib
import shutil
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

from control.entity.stores.store import Offsets, Row

#: Changes with the layout: a directory of another one is thrown away.
_FORMAT: Final = "1"
_BUFFER_BYTES: Final = 8 * 1024 * 1024
_CACHE_BYTES: Final = 2 * 1024 * 1024
_OPEN_FILES: Final = 64
#: Flags, whether it was removed, and when; then the value.
_HEAD: Final = struct.Struct(">I?q")
#: What lies under a key's letter: rows, and the keys of those that have flags, or were removed. Of these two
#: some may be of what was so once: whoever goes by them looks at the row.
_ROWS, _FLAGGED, _GONE = b"r", b"f", b"g"
_META: Final = b"meta"
#: Behind a key, whose own zero bytes are marked: so keys lie in their order, and none begins another's.
_END: Final = b"\0\0"


class RocksStore:
    """A directory of tables. See `control.entity.stores.store.Store`."""

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        """Open or make it; `identity` is table -> id of its topic. What is not of these goes."""
        self._path, self._identity = path, {"format": _FORMAT, **identity}
        self.loaded = False
        self._offsets: dict[str, dict[int, int]] = {}
        self._counts: dict[str, int] = dict.fromkeys(identity, 0)
        found = None
        with contextlib.suppress(Exception):  # the library has no error of its own for what is damaged
            found = self._open()
        if found is None:
            shutil.rmtree(path, ignore_errors=True)
            found = Rdict(str(path), _options())
        self._db = found
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign,assignment]  # its stub is wrong

    def _open(self) -> Rdict | None:
        """What lies there, where it was filled once, and of these topics."""
        if not self._path.exists():
            return None
        db = Rdict(str(self._path), _options())
        try:
            meta = msgspec.json.decode(db.get(_META) or b"", type=_Meta)
        except BaseException:
            db.close()
            raise
        if meta.identity != self._identity:
            db.close()
            return None
        self.loaded, self._offsets, self._counts = True, meta.offsets, meta.counts
        return db

    # ── of the writer's thread ─────────────────────────────────────────────────────────────────────────

    def offsets(self, table: str) -> dict[int, int]:
        return dict(self._offsets.get(table, {}))

    def load(self, table: str, rows: Sequence[Row]) -> None:
        # Until it is filled nothing is logged: it is thrown away if that does not end well.
        batch = WriteBatch(raw_mode=True)
        for row in rows:
            _put(batch, table, row)
        self._db.write(batch, self._unlogged)

    def finish_load(self, offsets: Offsets) -> None:
        for table in self._counts:
            self._counts[table] = sum(1 for _ in self._within(_base(_ROWS, table)))
        self._db.flush()
        batch = WriteBatch(raw_mode=True)
        self._note(batch, offsets)
        self._db.write(batch)
        self.loaded = True

    def apply(self, changes: Mapping[str, Iterable[Row]], offsets: Offsets) -> None:
        batch = WriteBatch(raw_mode=True)
        for table, changed in changes.items():
            for row in changed:
                self._counts[table] += self._db.get(_key(_ROWS, table, row)) is None
                _put(batch, table, row)
        self._note(batch, offsets)
        self._db.write(batch)

    def purge(self, before_ms: int) -> None:
        batch = WriteBatch(raw_mode=True)
        for table in self._counts:
            for mark, _ in self._within(_base(_GONE, table)):
                found = self._db.get(_ROWS + mark[1:])
                row = None if found is None else _row(mark, len(_base(_GONE, table)), found)
                if row is None or row.gone_ms is None:
                    batch.delete(mark)
                elif row.gone_ms < before_ms:
                    batch.delete(mark)
                    batch.delete(_ROWS + mark[1:])
                    self._counts[table] -= 1
        self._note(batch, {})
        if self.loaded:
            self._db.write(batch)

    def close(self) -> None:
        self._db.close()

    def _note(self, batch: WriteBatch, offsets: Offsets) -> None:
        for table, at in offsets.items():
            self._offsets[table] = {**self._offsets.get(table, {}), **at}
        batch.put(_META, msgspec.json.encode(_Meta(self._identity, self._offsets, self._counts)))

    # ── of any thread ──────────────────────────────────────────────────────────────────────────────────

    def count(self, table: str) -> int:
        return self._counts.get(table, 0)

    def get(self, table: str, key: bytes) -> list[Row]:
        base = len(_base(_ROWS, table))
        return [_row(at, base, value) for at, value in self._within(_place(_ROWS, table, key))]

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[Row]:
        return [row for key in keys for row in self.get(table, key)]

    def scan(self, table: str, prefix: bytes, after: bytes, limit: int) -> list[Row]:
        base = _base(_ROWS, table)
        start = base + _marked(after) + b"\0\1" if after >= prefix and after else base + _marked(prefix)
        found: list[Row] = []
        for at, value in self._within(base, start):
            row = _row(at, len(base), value)
            if not row.key.startswith(prefix) or len(found) == limit:
                break
            found.append(row)
        return found

    def listed(self, table: str, flag: int) -> Iterator[Row]:
        base = _base(_FLAGGED, table)
        for mark, _ in self._within(base):
            found = self._db.get(_ROWS + mark[1:])
            if found is not None and (row := _row(mark, len(base), found)).flags & flag:
                yield row

    def _within(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        at = self._db.iter()
        at.seek(start or prefix)
        while at.valid() and (key := bytes(at.key())).startswith(prefix):
            yield key, bytes(at.value())
            at.next()


class _Meta(msgspec.Struct, frozen=True):
    identity: dict[str, str]
    offsets: dict[str, dict[int, int]]
    counts: dict[str, int]


def _options() -> Options:
    options, blocks = Options(raw_mode=True), BlockBasedOptions()
    blocks.set_block_cache(Cache(_CACHE_BYTES))
    options.set_block_based_table_factory(blocks)
    options.set_write_buffer_size(_BUFFER_BYTES)
    options.set_max_open_files(_OPEN_FILES)
    return options


def _base(letter: bytes, table: str) -> bytes:
    return letter + table.encode() + b"\0"


def _marked(key: bytes) -> bytes:
    return key.replace(b"\0", b"\0\xff")


def _place(letter: bytes, table: str, key: bytes) -> bytes:
    return _base(letter, table) + _marked(key) + _END


def _key(letter: bytes, table: str, row: Row) -> bytes:
    return _place(letter, table, row.key) + row.partition.to_bytes(4, "big")


def _put(batch: WriteBatch, table: str, row: Row) -> None:
    value = _HEAD.pack(row.flags, row.gone_ms is not None, row.gone_ms or 0) + row.value
    batch.put(_key(_ROWS, table, row), value)
    if row.flags:
        batch.put(_key(_FLAGGED, table, row), b"")
    if row.gone_ms is not None:
        batch.put(_key(_GONE, table, row), b"")


def _row(at: bytes, base: int, value: bytes) -> Row:
    flags, gone, gone_ms = _HEAD.unpack_from(value)
    key = at[base : -4 - len(_END)].replace(b"\0\xff", b"\0")
    return Row(key, int.from_bytes(at[-4:], "big"), flags, gone_ms if gone else None, value[_HEAD.size :])


def remove(path: Path) -> None:
    """Take a table's directory away."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)
