"""Which store a role's table is in: what the setting `[state] store` names, and how it is thrown away."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from control.entity.stores import sqlite
from control.entity.stores.store import Store
from kernel.extras import check
from kernel.settings.reading import Settings

#: How RocksDB's errors begin that say that what lies on the disk cannot be used.
_DAMAGE: Final = ("Corruption", "IO error")


def check_store(settings: Settings) -> None:
    """Raise `not_installed` where the store that is set needs more than is installed."""
    if settings.state.store == "rocksdb":
        check("rocksdb", "TOUCHLINE_STATE_STORE=rocksdb")


def open_store(kind: str, path: Path, identity: Mapping[str, str], *, anew: bool) -> Store:
    """The table at this path (table -> its topic's id); `anew`: without what lies there."""
    if kind == "sqlite":
        if anew:
            sqlite.remove(path)
        return sqlite.SqliteStore(path, identity)
    from control.entity.stores import rocks  # noqa: PLC0415 - an extra brings it

    place = path.with_suffix(".rocks")
    if anew:
        rocks.remove(place)
    return rocks.RocksStore(place, identity)


def is_damage(error: BaseException) -> bool:
    """Whether the table is to be thrown away."""
    return isinstance(error, sqlite3.DatabaseError) or str(error).startswith(_DAMAGE)
