"""`GET /v1/poll`: answers when there is something, or when the time is over. docs/protocol.md §9.2."""

import asyncio
from typing import Final

import msgspec

from consumers.protocol.session import Member
from consumers.service.service import Service
from consumers.transport.handshake import Handshake, ParsedRequest, Route
from consumers.transport.http import stream_head
from consumers.transport.oneway import OneWay, arrive, write_cursors
from kernel.close_codes import Close

_MAX_POLL_BYTES: Final = 512 * 1024
#: What comes within this time of the first event goes into the same answer.
_GATHER_S: Final = 0.01
#: Messages that are worth an answer of their own: a stream is not served here, or cannot be read.
_ANSWERED: Final = {"redirect", "error", "gap", "drain"}


class Poll(OneWay):
    """One answer."""

    def __init__(self, handshake: Handshake, member: Member, *, head: bytes, wait_s: float) -> None:
        super().__init__(handshake, member)
        self._head = head
        self._events: list[bytes] = []
        self._messages: list[bytes] = []
        self._size = 0
        self._timer = asyncio.get_running_loop().call_later(wait_s, self._answer)

    def event(self, payload: bytes) -> None:
        self._events.append(payload)
        self._size += len(payload)
        if self._size >= _MAX_POLL_BYTES and not self.paused:
            self.pause_writing()  # the rest comes with the next request
        if len(self._events) == 1:
            self._answer_soon()

    def message(self, op: str, payload: bytes) -> None:
        if op in _ANSWERED:
            self._messages.append(payload)
            self._answer_soon()

    def alive(self) -> None:
        """A poll is short."""

    def finish(self, code: Close) -> None:  # noqa: ARG002 - a poll ends with what it has
        self._write_answer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _answer_soon(self) -> None:
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_GATHER_S, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._write_answer()
            self._transport.close()

    def _write_answer(self) -> None:
        self._timer.cancel()
        cursor = msgspec.json.encode(write_cursors(self.cursors))
        body = b'{"events":[%b],"cursor":%b' % (b",".join(self._events), cursor)
        body += b',"messages":[%b]}' % b",".join(self._messages) if self._messages else b"}"
        self._transport.write(self._head + b"Content-Length: %d\r\n\r\n" % len(body) + body)


def poll_route(service: Service) -> Route:
    """What answers `/v1/poll`."""

    def open_poll(handshake: Handshake, asked: ParsedRequest) -> bytes | None:
        arrived = arrive(service, handshake, asked)
        if isinstance(arrived, bytes):
            return arrived
        head = stream_head("application/json", asked.headers.get("Origin"))
        poll = Poll(handshake, arrived.member, head=head, wait_s=arrived.wait_s)
        service.admission.replace(handshake, poll)
        handshake.transport.set_protocol(poll)
        poll.begin(arrived.requests)
        return None

    return open_poll
