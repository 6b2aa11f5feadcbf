"""Files that go with messages, for programs: `Attachments` puts them there and gets them, piece by piece.

async with Viewer("ws://127.0.0.1:18081/v1/ws") as viewer:
    attachment = await Attachments("http://127.0.0.1:18080").upload("chat:wc26-final", "goal.png")
    await viewer.publish("chat:wc26-final", {"text": "Look!", "attachments": [attachment]})
"""

import asyncio
import hashlib
import io
import mimetypes
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from kernel.errors import TouchlineError
from kernel.problem_json import read_problem

_PIECE: Final = 256 * 1024
_TIMEOUT_S: Final = 60
_TRIES: Final = 6
_OFFSET: Final = "Upload-Offset"
T = TypeVar("T")
#: Told how many bytes of how many are through.
Progress = Callable[[int, int], None]


class Attachment(msgspec.Struct, frozen=True):
    """What it is, and until when its bytes are to be had at `url`."""

    name: str
    type: str
    size: int
    sha256: str
    url: str
    expires: str


class _Address(msgspec.Struct):
    method: str
    url: str
    headers: dict[str, str]


class _Upload(msgspec.Struct):
    attachment: str
    upload: _Address


class _Published(msgspec.Struct):
    results: list[dict[str, Any]]


class Attachments:
    """Uploads and fetches files; a connection that breaks is followed by another, which goes on there."""

    def __init__(
        self,
        gateway: str = "http://127.0.0.1:18080",
        *,
        token: str | None = None,
        user: str | None = None,
        device: str | None = None,
    ) -> None:
        self._gateway = gateway.rstrip("/")
        given = {
            "Authorization": None if token is None else f"Bearer {token}",
            "Touchline-User": None if user is None else quote(user, safe=""),
            "Touchline-Device": device,
        }
        self._headers = {name: value for name, value in given.items() if value is not None}

    async def upload(
        self,
        stream: str,
        file: str | Path | bytes,
        *,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - what it is called everywhere
        progress: Progress | None = None,
    ) -> str:
        """Upload a file for a message of this stream; returns the id for `data.attachments`."""
        name = name or (Path(file).name if not isinstance(file, bytes) else "file")
        type_ = type or mimetypes.guess_type(name)[0] or "application/octet-stream"

        def work(tell: Progress) -> str:
            with _opened(file) as data:
                size, digest = _read(data)
                said = {"stream": stream, "name": name, "type": type_, "size": size, "sha256": digest}
                taken = msgspec.json.decode(self._ask("POST", "/v1/attachments", said), type=_Upload)
                _send(taken.upload, data, size, tell)
            return taken.attachment

        return await _in_thread(work, progress)

    async def publish(self, stream: str, attachments: Sequence[str], *, text: str = "") -> dict[str, Any]:
        """Post a message that has them, by way of the gateway; returns its `seq` and `id`.

        Whoever has a `Viewer` or a `Producer` uses that: any message may have `attachments` in its data.
        """
        kind, _, channel = stream.partition(":")
        path = f"/v1/streams/{quote(kind, safe='')}/{quote(channel, safe='')}/events?wait=accepted"
        said = {"data": {"text": text, "attachments": list(attachments)}}
        answer = msgspec.json.decode(await asyncio.to_thread(self._ask, "POST", path, said), type=_Published)
        return answer.results[0]

    async def look(self, attachment: str) -> Attachment:
        """What it is, and where it is to be had. Raises `not_found`, `expired`."""
        path = f"/v1/attachments/{quote(attachment, safe='')}"
        return msgspec.json.decode(await asyncio.to_thread(self._ask, "GET", path), type=Attachment)

    async def fetch(
        self, attachment: str, to: str | Path | None = None, *, progress: Progress | None = None
    ) -> bytes:
        """Its bytes; with `to` they go into this file, which is there when all is, and nothing is returned.

        Tells the server that this device has it.
        """
        found = await self.look(attachment)

        def work(tell: Progress) -> bytes:
            if to is None:
                data = io.BytesIO()
                _get(found, data, tell)
                return data.getvalue()
            whole, part = Path(to), Path(f"{to}.part")
            with part.open("w+b") as file:
                _get(found, file, tell)
            part.replace(whole)
            return b""

        data = await _in_thread(work, progress)
        await self.fetched(attachment)
        return data

    async def fetched(self, attachment: str) -> None:
        """This device has it: the server may let go of it once all have."""
        path = f"/v1/attachments/{quote(attachment, safe='')}/fetched"
        await asyncio.to_thread(self._ask, "POST", path)

    def _ask(self, method: str, path: str, said: object = None) -> bytes:
        body = b"" if said is None else msgspec.json.encode(said)
        headers = {**self._headers, "Content-Type": "application/json"}
        try:
            with _asked(method, self._gateway + path, headers, body) as answer:
                data = answer.read()
                if answer.status >= 300:
                    raise _refusal(answer.status, data)
                return data
        except (OSError, HTTPException) as error:
            raise TouchlineError("unavailable", f"{self._gateway} does not answer ({error}).") from error


# ── these run in a thread ────────────────────────────────────────────────────────────────────────────────


async def _in_thread(work: Callable[[Progress], T], progress: Progress | None) -> T:
    loop = asyncio.get_running_loop()

    def tell(done: int, size: int) -> None:
        if progress is not None:
            loop.call_soon_threadsafe(progress, done, size)

    return await asyncio.to_thread(work, tell)


def _opened(file: str | Path | bytes) -> AbstractContextManager[BinaryIO]:
    return io.BytesIO(file) if isinstance(file, bytes) else Path(file).open("rb")


def _read(data: BinaryIO) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while piece := data.read(_PIECE):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()


def _send(address: _Address, data: BinaryIO, size: int, tell: Progress) -> None:
    """Put the bytes there. After a break it is asked how many have come."""
    offset, failed = 0, 0
    while True:
        headers = {**address.headers, "Content-Length": str(size - offset)}
        if offset:
            headers["Content-Range"] = f"bytes {offset}-{size - 1}/{size}"
        try:
            data.seek(offset)
            with _asked(address.method, address.url, headers, _Pieces(data, offset, size, tell)) as answer:
                said = answer.read()
                if answer.status < 300:
                    tell(size, size)
                    return
                if answer.status < 500:
                    raise _refusal(answer.status, said)
                why = _refusal(answer.status, said).message
        except (OSError, HTTPException) as error:
            why = str(error)
        failed += 1
        if failed == _TRIES:
            raise TouchlineError("unavailable", f"The upload broke off {failed} times ({why}).")
        time.sleep(0.1 * 2**failed)
        offset = _arrived(address, size)


def _arrived(address: _Address, size: int) -> int:
    """How many bytes are there already; 0 where nobody says."""
    try:
        with _asked("HEAD", address.url, {}, b"") as answer:
            offset = int(answer.headers.get(_OFFSET, 0)) if answer.status < 300 else 0
    except (OSError, HTTPException, ValueError):
        return 0
    return offset if offset < size else 0


class _Pieces:
    """A file from where it stands, in pieces, telling how far it is."""

    def __init__(self, data: BinaryIO, offset: int, size: int, tell: Progress) -> None:
        self._data, self._done, self._size, self._tell = data, offset, size, tell

    def read(self, most: int = _PIECE) -> bytes:
        piece = self._data.read(most)
        self._tell(self._done, self._size)
        self._done += len(piece)
        return piece


def _get(found: Attachment, to: BinaryIO, tell: Progress) -> None:
    """Get the bytes. After a break it goes on with the rest; what came in the end is what it should be."""
    digest, done, failed = hashlib.sha256(), 0, 0
    while True:
        try:
            headers = {"Range": f"bytes={done}-"} if done else {}
            with _asked("GET", found.url, headers, b"") as answer:
                if answer.status >= 300:
                    raise _refusal(answer.status, answer.read())
                if done and answer.status != 206:
                    raise TouchlineError("unavailable", "The server serves no parts of what broke off.")
                while piece := answer.read(_PIECE):
                    to.write(piece)
                    digest.update(piece)
                    done += len(piece)
                    tell(done, found.size)
            why = "it ended too early"
        except (OSError, HTTPException) as error:
            why = str(error)
        if done >= found.size:
            break
        failed += 1
        if failed == _TRIES:
            raise TouchlineError("unavailable", f"The file broke off {failed} times ({why}).")
        time.sleep(0.1 * 2**failed)
    if digest.hexdigest() != found.sha256:
        raise TouchlineError("unavailable", "What came is not the file that was uploaded.")


def _asked(
    method: str, url: str, headers: Mapping[str, str], body: "bytes | _Pieces"
) -> AbstractContextManager[HTTPResponse]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
    try:
        connection.request(
            method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, dict(headers)
        )
        answer = connection.getresponse()
    except BaseException:
        connection.close()
        raise
    return _closing_both(answer, connection)


class _closing_both(AbstractContextManager[HTTPResponse]):  # noqa: N801 - as contextlib's
    def __init__(self, answer: HTTPResponse, connection: HTTPConnection) -> None:
        self._answer, self._connection = answer, connection

    def __enter__(self) -> HTTPResponse:
        return self._answer

    def __exit__(self, *_: object) -> None:
        with closing(self._connection), closing(self._answer):
            pass


def _refusal(status: int, said: bytes) -> TouchlineError:
    if (told := read_problem(said)) is not None:
        return told
    # S3 has words of its own.
    code = "bad_request" if status < 500 else "unavailable"
    return TouchlineError(code, f"The store of attachments refused it with status {status}.")
