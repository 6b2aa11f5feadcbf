"""A directory as a store: an attachment is a directory that is made elsewhere, and put in its place by one
rename.

    <dir>/<five signs of the id: two hours>/<id>/{bytes,facts}    what has arrived
    <dir>/open/<id>/{bytes}, <id>.lock                            what is arriving, or broke off
    <dir>/gone/…                                                  what is being deleted

Several gateways may share it: whoever takes an upload in holds its lock, which ends with the process.
"""

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import urlencode

import msgspec

from control.attachments.references import Facts
from control.entity.stores.files import take_lock
from gateway.attachments.receiving import LET_GO_S, Receiving, failing
from gateway.attachments.store import LISTED, Address
from kernel.access.presigned import UrlSigner
from kernel.attachment_ids import is_attachment, made_at
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.settings.reading import Attachments

_FOLDER: Final = 5
_OPEN, _GONE = "open", "gone"
_BYTES, _FACTS, _LOCK = "bytes", "facts", ".lock"
_THREADS: Final = 8
#: What the disk has to have left beside an attachment.
_SPARE: Final = 64 * 1024 * 1024

T = TypeVar("T")


class Directory:
    """See `gateway.attachments.store.Store`; and what the routes of the content need."""

    def __init__(self, settings: Attachments, signer: UrlSigner, clock: Clock) -> None:
        self._settings, self._signer, self._clock = settings, signer, clock
        self._dir = Path(settings.dir)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="attachments")
        #: Who is writing here to what; whoever comes back takes over from themselves.
        self._writers: dict[str, asyncio.Task[Any]] = {}
        #: Bytes in the directory, as of the last look, and those that came since.
        self._used = 0
        self._expected: dict[str, int] = {}

    async def open(self) -> None:
        """Make the directory. Raises `bad_setting` where it cannot be used."""
        try:
            await self.run(self._prepare)
        except OSError as error:
            raise TouchlineError(
                "bad_setting",
                f"Attachments cannot be kept in {self._dir} ({error.strerror}).",
                hint="Set TOUCHLINE_ATTACHMENTS_DIR to a directory that may be written.",
            ) from error

    def close(self) -> None:
        self._threads.shutdown(wait=False)

    async def run(self, call: Callable[..., T], *arguments: Any) -> T:
        """What may wait for the disk, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def place(self, attachment: str) -> Path:
        """Where its bytes are, or would be."""
        return self._home(attachment) / _BYTES

    async def reading(self, attachment: str) -> BinaryIO:
        """Its bytes, to be read in threads. Raises OSError."""
        return await self.run(lambda: self.place(attachment).open("rb"))

    # ── the store ──────────────────────────────────────────────────────────────────────────────────────

    async def upload(self, attachment: str, facts: Facts, base: str) -> Address:
        expires_s = int(self._clock.now_ms() / 1000 + self._settings.upload_s)
        said = msgspec.json.encode(facts).hex()
        signature = self._signer.sign(*upload_parts(attachment, facts, said, expires_s))
        query = urlencode({"facts": said, "expires": expires_s, "signature": signature})
        url = f"{base}/v1/attachments/{attachment}/content?{query}"
        return Address("PUT", url, {"Content-Type": facts.type}, expires_s)

    async def find(self, attachment: str) -> Facts | None:
        return await self.run(self._find, attachment)

    async def download(self, attachment: str, facts: Facts, base: str) -> Address:  # noqa: ARG002 - a Store
        expires_s = int(self._clock.now_ms() / 1000 + self._settings.url_s)
        signature = self._signer.sign(*download_parts(attachment, expires_s))
        query = urlencode({"expires": expires_s, "signature": signature})
        return Address("GET", f"{base}/v1/attachments/{attachment}/content?{query}", {}, expires_s)

    async def delete(self, attachment: str) -> None:
        await self.run(self._delete, self._home(attachment))

    async def listed(self, after: str, before: str) -> list[str]:
        return await self.run(self._listed, after, before)

    async def tidy(self, now_ms: int) -> None:
        await self.run(self._tidy, now_ms - 2 * self._settings.upload_s * 1000)
        self._used = await self.run(_size_of, self._dir)

    # ── uploads ────────────────────────────────────────────────────────────────────────────────────────

    async def arrived(self, attachment: str) -> int:
        """How many bytes of an upload are here already."""
        return await self.run(_length, self._open(attachment) / _BYTES)

    @asynccontextmanager
    async def receiving(self, attachment: str, facts: Facts, offset: int) -> AsyncIterator[Receiving]:
        """Take its bytes in, from this one on.

        Raises `disk_full`, `limit_reached` where another gateway is taking them in, `bad_request` where what
        lies before `offset` is not here.
        """
        await self._make_way(attachment)
        self._check_room(attachment, facts.size)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine that runs is a task's
        self._writers[attachment] = task
        self._expected[attachment] = facts.size
        receiving = Receiving(self, attachment, facts, self._clock)
        try:
            await receiving.begin(offset)
            yield receiving
        finally:
            if self._writers.get(attachment) is task:
                del self._writers[attachment]
            self._expected.pop(attachment, None)
            await asyncio.shield(self.run(receiving.close))

    async def _make_way(self, attachment: str) -> None:
        """Whoever comes again has lost their connection, though this end may not know it yet."""
        if (earlier := self._writers.get(attachment)) is not None:
            earlier.cancel()
            with contextlib.suppress(BaseException):
                await asyncio.wait([earlier], timeout=LET_GO_S)

    def _check_room(self, attachment: str, size: int) -> None:
        under_way = sum(self._expected.values())
        try:
            free = shutil.disk_usage(self._dir).free
        except OSError as error:
            raise failing(error) from error
        if self._used + under_way + size > self._settings.disk_bytes or free < under_way + size + _SPARE:
            raise TouchlineError(
                "disk_full",
                f"There is no room for {attachment}: attachments have all the bytes that they may have.",
                hint="See the setting attachments.disk_bytes.",
            )

    # ── on the disk; these run in threads ──────────────────────────────────────────────────────────────

    def _home(self, attachment: str) -> Path:
        return self._dir / attachment[:_FOLDER] / attachment

    def _open(self, attachment: str) -> Path:
        return self._dir / _OPEN / attachment

    def _prepare(self) -> None:
        for name in (_OPEN, _GONE):
            (self._dir / name).mkdir(parents=True, exist_ok=True)
        self._used = _size_of(self._dir)

    def _find(self, attachment: str) -> Facts | None:
        try:
            return msgspec.json.decode((self._home(attachment) / _FACTS).read_bytes(), type=Facts)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError:
            return None  # nobody of ours has written that
        except OSError as error:
            raise failing(error) from error

    def lock(self, attachment: str) -> int | None:
        """The right to write to what arrives of it; None where another process has it."""
        lock = os.open(self._open(attachment).with_suffix(_LOCK), os.O_RDWR | os.O_CREAT, 0o640)
        if take_lock(lock):
            return lock
        os.close(lock)
        return None

    def open_part(self, attachment: str) -> int:
        """The file that it arrives in."""
        home = self._open(attachment)
        home.mkdir(exist_ok=True)
        return os.open(home / _BYTES, os.O_RDWR | os.O_CREAT, 0o640)

    def settle(self, attachment: str, facts: Facts) -> None:
        """All is here: it is there from now on, for everybody, also after the power was cut."""
        opened, home = self._open(attachment), self._home(attachment)
        with (opened / _FACTS).open("wb") as file:
            file.write(msgspec.json.encode(facts))
            file.flush()
            os.fsync(file.fileno())
        _sync(opened)
        home.parent.mkdir(exist_ok=True)
        try:
            opened.rename(home)
        except OSError:
            if not home.exists():
                raise
            self._delete(opened)  # the same bytes were here before
        else:
            self._used += facts.size
        _sync(home.parent)

    def discard(self, attachment: str) -> None:
        """What has arrived was not what was announced."""
        self._delete(self._open(attachment))

    def _delete(self, home: Path) -> None:
        gone = self._dir / _GONE / f"{home.name}-{secrets.token_hex(8)}"
        try:
            home.rename(gone)
        except FileNotFoundError:
            return
        except OSError as error:
            raise failing(error) from error
        self._used = max(0, self._used - _length(gone / _BYTES))
        shutil.rmtree(gone, ignore_errors=True)

    def _listed(self, after: str, before: str) -> list[str]:
        found: list[str] = []
        for folder in sorted(_names(self._dir)):
            if len(folder) != _FOLDER or not after[:_FOLDER] <= folder <= before[:_FOLDER]:
                continue
            names = sorted(name for name in _names(self._dir / folder) if is_attachment(name))
            found += [name for name in names if after < name < before]
            if len(found) >= LISTED:
                return found[:LISTED]
            if not names:
                with contextlib.suppress(OSError):  # somebody has just put something there
                    (self._dir / folder).rmdir()
        return found

    def _tidy(self, before_ms: float) -> None:
        for name in _names(self._dir / _OPEN):
            attachment = name.removesuffix(_LOCK)
            if not is_attachment(attachment) or made_at(attachment) >= before_ms:
                continue
            if name == attachment:
                self._delete(self._dir / _OPEN / name)
            else:
                (self._dir / _OPEN / name).unlink(missing_ok=True)
        for name in _names(self._dir / _GONE):
            shutil.rmtree(self._dir / _GONE / name, ignore_errors=True)


def upload_parts(attachment: str, facts: Facts, said: str, expires_s: int) -> tuple[str, ...]:
    """What an address to upload to is signed over."""
    return ("PUT", attachment, str(facts.size), facts.type, facts.sha256, said, str(expires_s))


def download_parts(attachment: str, expires_s: int) -> tuple[str, ...]:
    """What an address to fetch from is signed over."""
    return ("GET", attachment, str(expires_s))


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _names(directory: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(directory)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _size_of(directory: Path) -> int:
    return sum(_length(Path(folder) / _BYTES) for folder, _, files in os.walk(directory) if _BYTES in files)


def _sync(directory: Path) -> None:
    """A rename is on the disk once its directory is."""
    if os.name == "nt":
        return
    opened = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
