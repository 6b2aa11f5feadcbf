"""The table on disk, in SQLite: what it is filled with lies there in the order of the log, under an index."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from control.entity.stores.store import Offsets, Row

#: Changes with the tables' layout: a file of another one is thrown away.
_FORMAT: Final = "1"
#: Pages in memory while it is filled, and after that. What else is warm is the operating system's.
_WRITER_KB: Final = 8 * 1024
_READER_KB: Final = 2 * 1024
_BUSY_S: Final = 10.0
_COLUMNS: Final = "key, partition, flags, gone_ms, value"
_ROW: Final = "(?, ?, ?, ?, ?)"
#: Rows of one statement while a table is filled: a quarter less time than one by one.
_TOGETHER: Final = 100
#: Keys of one statement that asks for many.
_ASKED_AT_ONCE: Final = 500


class Damaged(Exception):  # noqa: N818 - it reads as what it says
    """The file cannot be used: throw it away, and begin anew."""


class SqliteStore:
    """A file of tables. See `control.entity.stores.store.Store`."""

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        """Open or make it; `identity` is table -> id of its topic. A file that is not of these goes."""
        self._path, self._identity = path, dict(identity)
        self._local = threading.local()
        #: Rows of each table: to count a million takes 50 ms.
        self._counts: dict[str, int] = {}
        self._readers: list[sqlite3.Connection] = []
        self.loaded = False
        try:
            self._writer = self._open()
        except (sqlite3.DatabaseError, Damaged):
            remove(self._path)
            self._writer = self._open()

    # ── of the writer's thread ─────────────────────────────────────────────────────────────────────────

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA cache_size = -{_WRITER_KB}")
        if db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            found = dict(db.execute("SELECT name, value FROM meta"))
            if found != {"format": _FORMAT, "loaded": "yes", **self._identity}:
                raise Damaged
            # A crash of the machine loses the last transactions, which are read again; never the file.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA cache_size = -{_READER_KB}")
            self.loaded = True
            self._count(db)
            return
        # Until it is filled nothing can be undone: it is thrown away if that does not end well.
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")
        db.execute(
            "CREATE TABLE offsets (name TEXT, partition INTEGER, next INTEGER, PRIMARY KEY (name, partition))"
            " WITHOUT ROWID"
        )
        db.executemany("INSERT INTO meta VALUES (?, ?)", {"format": _FORMAT, **self._identity}.items())
        for table in self._identity:
            db.execute(
                f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, key BLOB NOT NULL,"
                " partition INTEGER NOT NULL, flags INTEGER NOT NULL, gone_ms INTEGER, value BLOB NOT NULL)"
            )

    def _count(self, db: sqlite3.Connection) -> None:
        for table in self._identity:
            (self._counts[table],) = db.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608

    def offsets(self, table: str) -> dict[int, int]:
        rows = self._writer.execute("SELECT partition, next FROM offsets WHERE name = ?", (table,))
        return dict(rows.fetchall())

    def load(self, table: str, rows: Sequence[Row]) -> None:
        flat = list(chain.from_iterable(rows))
        width = _TOGETHER * len(Row._fields)
        end = len(flat) - len(flat) % width
        many = f"INSERT INTO {table} ({_COLUMNS}) VALUES {', '.join([_ROW] * _TOGETHER)}"  # noqa: S608
        with self._transaction():
            for at in range(0, end, width):
                self._writer.execute(many, flat[at : at + width])
            self._append(table, rows[end // len(Row._fields) :])

    def finish_load(self, offsets: Offsets) -> None:
        db = self._writer
        # In the order of keys at once: row by row this took four times as long with a million of them.
        for table in self._identity:
            db.execute(f"CREATE INDEX {table}_key ON {table} (key, partition)")
            db.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT a.id FROM {table} a INDEXED BY {table}_key"  # noqa: S608
                f" JOIN {table} b ON b.key = a.key AND b.partition = a.partition AND b.id > a.id)"
            )
            db.execute(f"CREATE INDEX {table}_flags ON {table} (flags) WHERE flags != 0")
            db.execute(f"CREATE INDEX {table}_gone ON {table} (gone_ms) WHERE gone_ms IS NOT NULL")
        self._note(offsets)
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("INSERT INTO meta VALUES ('loaded', 'yes')")
        db.execute(f"PRAGMA cache_size = -{_READER_KB}")
        db.execute("PRAGMA shrink_memory")
        self._count(db)
        self.loaded = True

    def apply(self, changes: Mapping[str, Iterable[Row]], offsets: Offsets) -> None:
        with self._transaction():
            for table, changed in changes.items():
                rows = list(changed)
                keys = [(row.key, row.partition) for row in rows]
                deleting = f"DELETE FROM {table} WHERE key = ? AND partition = ?"  # noqa: S608
                gone = self._writer.executemany(deleting, keys).rowcount
                self._append(table, rows)
                self._counts[table] += len(rows) - gone
            self._note(offsets)

    def purge(self, before_ms: int) -> None:
        for table in self._identity:
            deleting = f"DELETE FROM {table} WHERE gone_ms < ?"  # noqa: S608
            gone = self._writer.execute(deleting, (before_ms,)).rowcount
            if self.loaded:
                self._counts[table] -= gone

    def close(self) -> None:
        for db in (*self._readers, self._writer):
            db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN")
        yield  # an error ends the role, and with it the transaction
        self._writer.execute("COMMIT")

    def _append(self, table: str, rows: Iterable[Row]) -> None:
        self._writer.executemany(f"INSERT INTO {table} ({_COLUMNS}) VALUES {_ROW}", rows)  # noqa: S608

    def _note(self, offsets: Offsets) -> None:
        self._writer.executemany(
            "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?)",
            [(name, partition, at) for name, of_name in offsets.items() for partition, at in of_name.items()],
        )

    # ── of any thread ──────────────────────────────────────────────────────────────────────────────────

    def count(self, table: str) -> int:
        return self._counts.get(table, 0)

    def get(self, table: str, key: bytes) -> list[Row]:
        found = self._reader().execute(f"SELECT {_COLUMNS} FROM {table} WHERE key = ?", (key,))  # noqa: S608
        return [Row(*row) for row in found]

    def get_many(self, table: str, keys: Sequence[bytes]) -> list[Row]:
        found: list[Row] = []
        for at in range(0, len(keys), _ASKED_AT_ONCE):
            some = keys[at : at + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(some))
            rows = self._reader().execute(
                f"SELECT {_COLUMNS} FROM {table} WHERE key IN ({marks})",  # noqa: S608
                some,
            )
            found += (Row(*row) for row in rows)
        return found

    def scan(self, table: str, prefix: bytes, after: bytes, limit: int) -> list[Row]:
        found = self._reader().execute(
            f"SELECT {_COLUMNS} FROM {table} WHERE key >= ? AND key > ? AND key < ? ORDER BY key LIMIT ?",  # noqa: S608
            (prefix, after, _end_of(prefix), limit),
        )
        return [Row(*row) for row in found]

    def listed(self, table: str, flag: int) -> Iterator[Row]:
        found = self._reader().execute(
            f"SELECT {_COLUMNS} FROM {table} WHERE flags != 0 AND flags & ?",  # noqa: S608
            (flag,),
        )
        while rows := found.fetchmany(1000):
            yield from (Row(*row) for row in rows)

    def _reader(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            db = sqlite3.connect(
                f"{self._path.resolve().as_uri()}?mode=ro",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
                check_same_thread=False,  # used by its thread alone, and closed by another
            )
            db.execute(f"PRAGMA cache_size = -{_READER_KB}")
            self._local.db = db
            self._readers.append(db)
        return db


def _end_of(prefix: bytes) -> bytes:
    """The first key behind all that begin with it."""
    kept = prefix.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else b"\xff" * 1024


def remove(path: Path) -> None:
    """Take a table's file away, with what belongs to it."""
    for ending in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
