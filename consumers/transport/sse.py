"""`GET /v1/sse`: each event with all cursors as its id, which browsers send back as Last-Event-ID.

docs/protocol.md §9.1.
"""

import msgspec

from consumers.service.service import Service
from consumers.transport.handshake import Handshake, ParsedRequest, Route
from consumers.transport.http import stream_head
from consumers.transport.oneway import OneWay, arrive, write_cursors
from kernel.close_codes import CLOSES, Close


class EventSource(OneWay):
    """A response that does not end."""

    def event(self, payload: bytes) -> None:
        cursors = write_cursors(self.cursors).encode()
        self._transport.write(b"id: %b\ndata: %b\n\n" % (cursors, payload))

    def message(self, op: str, payload: bytes) -> None:  # noqa: ARG002 - the payload says it
        self._transport.write(b"data: %b\n\n" % payload)

    def alive(self) -> None:
        self._transport.write(b":\n\n")

    def finish(self, code: Close) -> None:
        reason = msgspec.json.encode({"code": int(code), "reason": CLOSES[code]})
        self._transport.write(b"event: close\ndata: %b\n\n" % reason)


def sse_route(service: Service) -> Route:
    """What answers `/v1/sse`."""

    def open_source(handshake: Handshake, asked: ParsedRequest) -> bytes | None:
        arrived = arrive(service, handshake, asked)
        if isinstance(arrived, bytes):
            return arrived
        source = EventSource(handshake, arrived.member)
        service.admission.replace(handshake, source)
        handshake.transport.set_protocol(source)
        head = stream_head("text/event-stream", asked.headers.get("Origin"))
        handshake.transport.write(head + b"\r\n")
        source.begin(arrived.requests)
        return None

    return open_source
