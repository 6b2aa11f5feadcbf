"""The data directory: its layout, its version, and the lock that lets only one pipeline use it."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from kernel.errors import TouchlineError

VERSION: Final = 1
_ENTRIES: Final = frozenset(
    {"elasticsearch", "kafka", "logs", "run", "secret", "servers", "vapid.pem", "version"}
)


class DataDirectory:
    """One pipeline's directory: everything that it keeps lies below."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def state_file(self) -> Path:
        return self.path / "run" / "state.json"

    @property
    def _version_file(self) -> Path:
        return self.path / "version"

    @property
    def _lock_file(self) -> Path:
        return self.path / "run" / "lock"

    def secret(self) -> str:
        """What the roles of this directory sign by; made once, so that what was signed stays so."""
        return self._made_once("secret", lambda: secrets.token_hex(32)).read_text().strip()

    def vapid_key(self) -> Path:
        """The file of the key by which push services know us; made once, for browsers subscribe to it."""
        return self._made_once("vapid.pem", _p256_key)

    def _made_once(self, name: str, make: Callable[[], str]) -> Path:
        """A file that nobody else may read."""
        file = self.path / name
        if not file.exists():
            unfinished = file.with_name(f"{file.name}.{os.getpid()}.part")
            unfinished.touch(0o600)
            unfinished.write_text(make())
            unfinished.replace(file)
        return file

    def prepare(self) -> None:
        """Make the directory where it is missing; refuse one of another program, or of a newer version."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check_version()
            for part in (self.logs, self.state_file.parent):
                part.mkdir(exist_ok=True)
        except OSError as error:
            raise TouchlineError(
                "bad_data_dir",
                f"The data directory {self.path} cannot be used: {error.strerror} ({error.filename}).",
                hint="Choose one that you may write to: --data-dir, or TOUCHLINE_EMBEDDED_DATA_DIR.",
            ) from error

    def _check_version(self) -> None:
        if not self._version_file.exists():
            strange = sorted({entry.name for entry in self.path.iterdir()} - _ENTRIES)
            if strange:
                raise TouchlineError(
                    "bad_data_dir",
                    f"{self.path} holds other things than Touchline's data ({', '.join(strange[:3])}).",
                    hint="Name a directory that is empty or does not exist yet.",
                )
            _write(self._version_file, f"{VERSION}\n")
            return
        text = self._version_file.read_text().strip()
        if not text.isdecimal():
            raise TouchlineError(
                "bad_data_dir",
                f"{self._version_file} says {text[:20]!r}, which is no version of a data directory.",
                hint="Take another directory, or put this one back from a copy.",
            )
        if int(text) > VERSION:
            raise TouchlineError(
                "bad_data_dir",
                f"{self.path} was written by a newer Touchline (version {text}; this one knows {VERSION}).",
                hint="Use the newer Touchline, or another --data-dir.",
            )

    def is_locked(self) -> bool:
        """Whether a supervisor runs here. It holds the lock as long as it lives, however it ends."""
        try:
            with self._lock_file.open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except FileNotFoundError:
            pass
        return False

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Hold the lock; False if another supervisor has it."""
        with self._lock_file.open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n".encode())
            lock.flush()
            yield True

    def holder(self) -> int | None:
        """The process that holds the lock, from the moment it has it."""
        if not self.is_locked():
            return None
        with contextlib.suppress(FileNotFoundError, ValueError):
            return int(self._lock_file.read_text())
        return None


def _write(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    unfinished.write_text(text)
    unfinished.replace(path)


def _p256_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
