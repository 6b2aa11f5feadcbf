"""What became of each event of a request: kept outside of memory until the request has been read, then sent.

A client that sends a long body reads the response only at its end; results written before would fill the
connection, and both would wait for each other. Who asks for NDJSON gets them as they come, and has to read.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import IO, Any, Final

import msgspec
from aiohttp import web

from gateway.http.problems import CONTENT_TYPE, STATUS, head_of
from kernel.errors import TouchlineError
from producers.sending.delivery import Failure

_IN_MEMORY: Final = 1024 * 1024
_PIECE: Final = 256 * 1024
_ACCEPTED: Final = b'{"ok":true}'
#: Sending such an event again may help: the response as a whole says so.
_TEMPORARY: Final = frozenset({"queue_full", "not_delivered", "unavailable", "closed"})
_encode: Final = msgspec.json.Encoder().encode
_NOTHING: Final[Mapping[int, bytes]] = MappingProxyType({})


class Results:
    """Results in the order of the events."""

    def __init__(self, max_refusals: int) -> None:
        self._max_refusals = max_refusals
        self.accepted = 0
        self.refused: Counter[str] = Counter()
        self._first: dict[str, TouchlineError] = {}
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed in close()
        self._separator = b""

    def check(self) -> None:
        """Raise `too_large` where more was refused than is worth reading on for."""
        if self.refused.total() > self._max_refusals:
            raise TouchlineError(
                "too_large",
                f"More than {self._max_refusals} events of this request were refused: the rest was not read.",
            )

    def add(
        self, count: int, failures: Iterable[Failure], told: bytes | Mapping[int, bytes] = _NOTHING
    ) -> bytes:
        """Count the results of so many events, of which these failed; returns them as NDJSON. `told` is what
        is known of the others: their results by number, or those of all events."""
        if isinstance(told, bytes):
            self.accepted += count
            return told
        lines = [told.get(number, _ACCEPTED) for number in range(count)] if told else [_ACCEPTED] * count
        refused = 0
        for failure in failures:
            refused += 1
            lines[failure.index] = _encode(
                {"ok": False, "code": failure.error.code, "message": str(failure.error)}
            )
            self.refused[failure.error.code] += 1
            self._first.setdefault(failure.error.code, failure.error)
        self.accepted += count - refused
        return b"\n".join(lines) + b"\n" if lines else b""

    def keep(self, lines: bytes) -> None:
        """Put results aside for `respond`."""
        if lines:
            self._spool.write(self._separator + lines[:-1].replace(b"\n", b","))
            self._separator = b","

    def summary(self, error: TouchlineError | None = None) -> dict[str, Any]:
        """The counts; and what ended the request, where something did."""
        found: dict[str, Any] = {"accepted": self.accepted, "refused": self.refused.total()}
        if error is not None:
            found["error"] = {"code": error.code, "message": str(error)}
        return found

    async def respond(self, request: web.Request, error: TouchlineError | None = None) -> web.StreamResponse:
        """All results in one response: 202 if something was accepted and nothing needs to be sent again."""
        worst = error or self._worst()
        status = 202 if worst is None else STATUS.get(worst.code, 500)
        head: Mapping[str, Any] = self.summary()
        headers: Mapping[str, str] = {}
        if worst is not None:
            body, headers = head_of(worst, status)
            head = {**body, **head}
        response = web.StreamResponse(status=status, headers=headers)
        response.content_type = "application/json" if worst is None else CONTENT_TYPE
        await response.prepare(request)
        await response.write(_encode(head)[:-1] + b',"results":[')
        self._spool.seek(0)
        while piece := self._spool.read(_PIECE):
            await response.write(piece)
        await response.write(b"]}")
        return response

    def close(self) -> None:
        self._spool.close()

    def _worst(self) -> TouchlineError | None:
        """The error that the response is about; None where its results say enough."""
        for code, error in self._first.items():
            if code in _TEMPORARY:
                return error
        return next(iter(self._first.values()), None) if not self.accepted else None
