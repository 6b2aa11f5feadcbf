"""Where a process keeps its table: a file that no other process has."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings

#: Processes of one role on one machine, with one directory.
_MOST: Final = 256


@contextlib.contextmanager
def own_file(settings: Settings, role: str) -> Iterator[Path]:
    """The first file of this role that nobody has; a process that comes back goes on with one that is there.

    Raises `bad_setting` where the directory cannot be used.
    """
    directory = Path(settings.state.dir) / settings.topics.prefix
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for number in range(_MOST):
            path = directory / f"{role}-{number}.db"
            lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o644)
            try:
                if take_lock(lock):
                    yield path
                    return
            finally:
                os.close(lock)  # which gives it back, as the end of a process does
    except OSError as error:
        raise TouchlineError(
            "bad_setting",
            f"Tables cannot be kept in {directory} ({error.strerror}).",
            hint="Set TOUCHLINE_STATE_DIR to a directory that may be written.",
        ) from error
    raise TouchlineError("limit_reached", f"{_MOST} processes have all files of {role} in {directory}.")


if sys.platform == "win32":
    import msvcrt

    def take_lock(lock: int) -> bool:
        """Lock an open file, until it is closed or the process ends; False where another one has it."""
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def take_lock(lock: int) -> bool:
        """Lock an open file, until it is closed or the process ends; False where another one has it."""
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
