"""An upload as it arrives at a directory: hashed while it is written, put in its place when all is right."""

import asyncio
import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Protocol

from control.attachments.references import Facts
from kernel.clock import Clock
from kernel.errors import TouchlineError

_PIECE: Final = 1024 * 1024
#: For how long whoever comes back to an upload waits for their earlier connection to let go.
LET_GO_S: Final = 5.0
_STEP_S: Final = 0.05


class UploadTarget(Protocol):
    """Where it arrives. All but `run` block."""

    def run(self, call: Callable[..., Any], *arguments: Any) -> Awaitable[Any]:
        """What may wait for the disk, in a thread."""

    def lock(self, attachment: str) -> int | None:
        """The right to write to what arrives of it; None where another process has it."""

    def open_part(self, attachment: str) -> int:
        """The file that it arrives in."""

    def settle(self, attachment: str, facts: Facts) -> None:
        """All is here."""

    def discard(self, attachment: str) -> None:
        """What has arrived was not what was announced."""


class Receiving:
    """An upload that is arriving: what comes is written and hashed, and nothing of it is kept in memory."""

    def __init__(self, store: UploadTarget, attachment: str, facts: Facts, clock: Clock) -> None:
        self._store, self._attachment, self._facts = store, attachment, facts
        self._clock = clock
        self._lock: int | None = None
        self._part: int | None = None
        self._hash = hashlib.sha256()
        #: A thread may still be at work when whoever waits for it is gone.
        self._one = threading.Lock()
        self.length = 0

    async def begin(self, offset: int) -> None:
        """Get hold of it; what is there before `offset` is hashed again."""
        patience = self._clock.monotonic() + LET_GO_S
        while not await self._store.run(self._begun, offset):
            if self._clock.monotonic() > patience:
                raise TouchlineError(
                    "limit_reached", f"{self._attachment} is being uploaded by another connection right now."
                )
            await asyncio.sleep(_STEP_S)

    async def write(self, data: bytes) -> None:
        """The next bytes. Raises `too_large` where there are more than were announced."""
        await self._store.run(self._append, data)

    async def finish(self) -> None:
        """All has come. Raises `bad_request` where it is not what was announced: then nothing is kept."""
        await self._store.run(self._finished)

    # ── in threads ─────────────────────────────────────────────────────────────────────────────────────

    def _begun(self, offset: int) -> bool:
        with self._one, told():
            self._lock = self._store.lock(self._attachment)
            if self._lock is None:
                return False
            part = self._part = self._store.open_part(self._attachment)
            here = os.fstat(part).st_size
            if offset > here:
                raise TouchlineError("bad_request", f"Only {here} bytes are here: go on from there.")
            os.ftruncate(part, offset)
            while self.length < offset:
                piece = os.read(part, min(_PIECE, offset - self.length))
                self._hash.update(piece)
                self.length += len(piece)
            return True

    def _append(self, data: bytes) -> None:
        with self._one, told():
            if self._part is None:
                return  # it was closed meanwhile
            if self.length + len(data) > self._facts.size:
                self._throw_away()
                raise TouchlineError(
                    "too_large", f"More than the {self._facts.size} bytes came that were announced."
                )
            view = memoryview(data)
            while view:
                view = view[os.write(self._part, view) :]
            self._hash.update(data)
            self.length += len(data)

    def _finished(self) -> None:
        with self._one, told():
            if self._part is None:
                return
            if self._hash.hexdigest() != self._facts.sha256:
                self._throw_away()
                raise other_bytes()
            os.fsync(self._part)
            self._end_part()
            self._store.settle(self._attachment, self._facts)

    def close(self) -> None:
        """Let go of it."""
        with self._one:
            self._end_part()
            if self._lock is not None:
                os.close(self._lock)  # which gives it back
                self._lock = None

    def _throw_away(self) -> None:
        self._end_part()
        self._store.discard(self._attachment)

    def _end_part(self) -> None:
        if self._part is not None:
            os.close(self._part)
            self._part = None


def other_bytes() -> TouchlineError:
    """The refusal of bytes that are not those that were announced."""
    return TouchlineError(
        "bad_request",
        "The bytes that came do not have the hash that was announced: nothing of them is kept.",
        hint="Upload them again.",
    )


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What goes wrong with the disk, as an error of ours."""
    try:
        yield
    except OSError as error:
        raise failing(error) from error


def failing(error: OSError) -> TouchlineError:
    """The disk does not do what it should."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TouchlineError("disk_full", "There is no room for this attachment on the disk.")
    return TouchlineError("unavailable", f"The attachment's file cannot be used ({error.strerror}).")
