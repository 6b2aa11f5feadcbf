"""Asks a gateway whether a message may have its attachments: the bytes lie where gateways are."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from control.attachments.remote_check import ASK_PATH, SIGNATURE, Question, question_parts
from kernel.access.presigned import UrlSigner
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from kernel.problem_json import problem_of
from kernel.settings.reading import Settings

_TIMEOUT: Final = ClientTimeout(total=5)


class AskAttachments:
    """One connection, or a few, kept open: there are many messages with attachments, or none."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        gateway = settings.gateway
        host = "127.0.0.1" if gateway.host in ("0.0.0.0", "::", "") else gateway.host
        host = f"[{host}]" if ":" in host else host
        self._url = (settings.attachments.gateway or f"http://{host}:{gateway.port}").rstrip("/") + ASK_PATH
        self._signer, self._clock = UrlSigner(settings), clock
        self._http: ClientSession | None = None

    async def check(self, attachments: Sequence[str], stream: Stream, user: str, *, anybodys: bool) -> None:
        """Raise `not_found` or `expired` where they may not go with it, `unavailable` where nobody knows."""
        question = Question(
            attachments=list(attachments),
            stream=str(stream),
            user=user,
            anybodys=anybodys,
            at=self._clock.now_ms(),
        )
        body = msgspec.json.encode(question)
        headers = {SIGNATURE: self._signer.sign(*question_parts(body)), "Content-Type": "application/json"}
        if self._http is None:
            self._http = ClientSession(timeout=_TIMEOUT)
        try:
            async with self._http.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status == 200:
                    return
                said: Any = await answer.read()
        except (ClientError, TimeoutError) as error:
            raise TouchlineError(
                "unavailable", "No gateway tells whether the attachments have arrived: try again."
            ) from error
        raise _refusal(answer.status, said)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()


def _refusal(status: int, said: bytes) -> TouchlineError:
    told = problem_of(said)
    if status in (404, 410):
        return told
    return TouchlineError("unavailable", f"The gateway does not tell about attachments: {told.message}")
