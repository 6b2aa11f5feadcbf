"""The bytes of attachments that lie in a directory: taken in and given out by addresses that speak for
themselves.

Nothing is held in memory but the piece that is on its way. How long a client may keep a gateway waiting is
said by `gateway.body_timeout_s` and `gateway.slow_timeout_s`, and an upload ends with its address.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from control.attachments.references import Facts, not_there
from gateway.attachments.directory import Directory, download_parts, upload_parts
from gateway.attachments.ranges import Range, asked, sent
from gateway.attachments.receiving import other_bytes
from gateway.attachments.service import facts_in
from gateway.context import Context
from gateway.http.bodies import next_of
from kernel.access.presigned import UrlSigner
from kernel.attachment_ids import is_attachment
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.settings.reading import Gateway

PATH: Final = "/v1/attachments/{attachment}/content"
OFFSET: Final = "Upload-Offset"
_PIECE: Final = 256 * 1024
#: What a browser may show on the page's own origin: pictures, films and sound run nothing. (An SVG may.)
_SHOWN: Final = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "video/mp4",
        "video/webm",
        "audio/mpeg",
    }
    | {"audio/ogg", "audio/mp4", "audio/webm", "audio/wav"}
)
_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
}


def routes(context: Context) -> Sequence[web.RouteDef]:
    """Nothing, where the bytes are elsewhere."""
    store = context.attachments.store
    if not isinstance(store, Directory):
        return []
    content = _Content(context, store)
    return [
        web.put(PATH, content.put),
        web.get(PATH, content.get, allow_head=False),
        web.head(PATH, content.head),
    ]


class _Content:
    def __init__(self, context: Context, store: Directory) -> None:
        self._service, self._store, self._clock = context.attachments, store, context.clock
        self._settings: Gateway = context.settings.gateway
        self._signer = UrlSigner(context.settings)

    # ── in ─────────────────────────────────────────────────────────────────────────────────────────────

    async def put(self, request: web.Request) -> web.Response:
        attachment, facts, expires_s = self._upload(request)
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise TouchlineError("unsupported_media_type", "Attachments are sent as they are, not packed.")
        if request.content_type != facts.type:
            raise TouchlineError(
                "unsupported_media_type", f"Content-Type is not {facts.type}, which was announced."
            )
        part = sent(request.headers.get("Content-Range"), facts.size)
        if request.content_length is not None and request.content_length != part.length:
            code = "too_large" if request.content_length > part.length else "bad_request"
            raise TouchlineError(
                code, f"The body has {request.content_length} bytes, and {part.length} were announced."
            )
        if await self._store.find(attachment) is None:
            if not await self._receive(request, attachment, facts, part, expires_s):
                arrived = part.start + part.length
                return web.json_response({"arrived": arrived}, status=202, headers={OFFSET: str(arrived)})
        else:
            await self._again(request, facts, part, expires_s)
        return web.json_response(
            {"attachment": attachment, "size": facts.size, "sha256": facts.sha256},
            status=201,
            headers={OFFSET: str(facts.size)},
        )

    async def _receive(
        self, request: web.Request, attachment: str, facts: Facts, part: Range, expires_s: int
    ) -> bool:
        """Take this part in; whether all of it is here now."""
        end = part.start + part.length
        async with self._store.receiving(attachment, facts, part.start) as receiving:
            waiting = bytearray()
            async for piece in self._pieces(request, expires_s):
                waiting += piece
                if len(waiting) >= _PIECE:
                    await receiving.write(bytes(waiting))
                    waiting.clear()
            if waiting:
                await receiving.write(bytes(waiting))
            if receiving.length < end:
                raise TouchlineError(
                    "bad_request",
                    f"The body broke off: {receiving.length} bytes of {facts.size} are here.",
                    hint="Go on from there, with Content-Range.",
                )
            if end < facts.size:
                return False
            await receiving.finish()
            return True

    async def _again(self, request: web.Request, facts: Facts, part: Range, expires_s: int) -> None:
        """It is here: whoever sends it again did not hear of it. Raises `bad_request` for other bytes; of a
        part nobody can tell."""
        whole, hashed = part.length == facts.size, hashlib.sha256()
        async for piece in self._pieces(request, expires_s):
            if whole:
                hashed.update(piece)
        if whole and hashed.hexdigest() != facts.sha256:
            raise other_bytes()

    async def _pieces(self, request: web.Request, expires_s: int) -> Any:
        while piece := await next_of(request, self._settings.body_timeout_s):
            check_time(self._clock, expires_s)
            yield piece

    def _upload(self, request: web.Request) -> tuple[str, Facts, int]:
        """What an address to upload to says. Raises `forbidden`, `expired`."""
        attachment, said, expires_s = _attachment(request), request.query.get("facts", ""), _expires(request)
        facts = facts_in(said)
        signature = request.query.get("signature", "")
        if facts is None or not self._signer.signed(
            signature, *upload_parts(attachment, facts, said, expires_s)
        ):
            raise _forged()
        check_time(self._clock, expires_s)
        return attachment, facts, expires_s

    # ── out ────────────────────────────────────────────────────────────────────────────────────────────

    async def head(self, request: web.Request) -> web.StreamResponse:
        """Of an address to upload to: how much has arrived. Of one to fetch from: as GET."""
        if "facts" not in request.query:
            return await self.get(request)
        attachment, facts, _ = self._upload(request)
        here = await self._store.find(attachment)
        arrived = facts.size if here is not None else await self._store.arrived(attachment)
        return web.Response(headers={OFFSET: str(arrived), "Upload-Complete": "?1" if here else "?0"})

    async def get(self, request: web.Request) -> web.StreamResponse:
        attachment, expires_s = _attachment(request), _expires(request)
        if not self._signer.signed(
            request.query.get("signature", ""), *download_parts(attachment, expires_s)
        ):
            raise _forged()
        check_time(self._clock, expires_s)
        facts = await self._store.find(attachment)
        # The message may have been taken back since this address was given out.
        if facts is None or not self._service.marks.posts(attachment, facts.stream):
            raise not_there(attachment)
        tag = f'"{facts.sha256}"'
        max_age = max(0, int(expires_s - self._clock.now_ms() / 1000))
        headers = {
            **_SAFE,
            "ETag": tag,
            "Accept-Ranges": "bytes",
            "Cache-Control": f"private, max-age={max_age}",
            "Content-Disposition": disposition(facts),
        }
        if tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        try:
            current = request.headers.get("If-Range", tag) == tag
            part = asked(request.headers.get("Range") if current else None, facts.size)
        except ValueError:
            headers["Content-Range"] = f"bytes */{facts.size}"
            return web.Response(status=416, headers=headers)
        if part is not None:
            headers["Content-Range"] = f"bytes {part.start}-{part.start + part.length - 1}/{facts.size}"
        response = web.StreamResponse(status=200 if part is None else 206, headers=headers)
        response.content_type = facts.type
        await self._send(request, response, attachment, part or Range(0, facts.size))
        return response

    async def _send(
        self, request: web.Request, response: web.StreamResponse, attachment: str, part: Range
    ) -> None:
        """Piece by piece, as the client takes them: who takes none is closed by `gateway.slow_timeout_s`."""
        try:
            file = await self._store.reading(attachment)
        except OSError:
            raise not_there(attachment) from None
        with file:
            response.content_length = part.length
            await response.prepare(request)
            if request.method != "HEAD":
                await self._store.run(file.seek, part.start)
                left = part.length
                while left and (piece := await self._store.run(file.read, min(_PIECE, left))):
                    left -= len(piece)
                    await response.write(piece)
            await response.write_eof()


def disposition(facts: Facts) -> str:
    """Shown only where that is safe; by its own name, which may be in any writing."""
    how = "inline" if facts.type in _SHOWN else "attachment"
    return f"{how}; filename*=UTF-8''{quote(facts.name, safe='')}"


def check_time(clock: Clock, expires_s: int) -> None:
    """Raise `expired` where an address is good no more."""
    if clock.now_ms() / 1000 >= expires_s:
        raise TouchlineError("expired", "The time of this address is over.", hint="Ask for another one.")


def _attachment(request: web.Request) -> str:
    attachment = request.match_info["attachment"]
    if not is_attachment(attachment):
        raise not_there(attachment)
    return attachment


def _expires(request: web.Request) -> int:
    text = request.query.get("expires", "")
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise _forged()
    return int(text)


def _forged() -> TouchlineError:
    return TouchlineError("forbidden", "The address was not given out here, or was changed.")
