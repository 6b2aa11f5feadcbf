"""How single events went through all roles, by OpenTelemetry: off, unless `traces.sample` says otherwise.

A traced event has a `traceparent` (W3C) as a header of every record that is made of it: given by whoever
posted it, or by the door, by chance. A role makes its span of it when it is done with the record; nothing is
kept in between, and where tracing is off nothing of this is called. docs/decisions/0126.
"""

import random
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from kernel.clock import Clock
from kernel.extras import missing
from kernel.log.records import Headers
from kernel.settings.reading import Settings
from kernel.version import VERSION

TRACEPARENT: Final = "traceparent"
_SHAPE: Final = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_CHOSEN: Final = 1
_SECOND_MS: Final = 1000
_NS: Final = 1_000_000
_EXPORT_S: Final = 3
#: A batch is linked to so many of its events.
_MAX_LINKS: Final = 100


def parent_of(text: bytes) -> bytes | None:
    """A traceparent, if it is one of an event that is traced."""
    found = _SHAPE.fullmatch(text)
    return text if found and int(found[3], 16) & _CHOSEN else None


def traced(headers: Headers | None) -> bytes | None:
    """The traceparent of a record that is traced."""
    for name, value in headers or ():
        if name == TRACEPARENT and isinstance(value, bytes):
            return parent_of(value)
    return None


def current() -> Headers | None:
    """Where a program that posts is in a span of its own that is traced: what its record says of that."""
    api: Any = sys.modules.get("opentelemetry.trace")
    if api is None:
        return None
    about = api.get_current_span().get_span_context()
    return [_header(about)] if about.is_valid and about.trace_flags.sampled else None


def header_of(span: Any) -> tuple[str, bytes]:
    """What the record of an event says of its trace."""
    return _header(span.get_span_context())


class Tracing:
    """Makes the spans of one role, and hands them to an exporter that never waits."""

    def __init__(self, settings: Settings, role: str, clock: Clock) -> None:
        try:  # half a second to import, and only where there are traces
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415
        except ModuleNotFoundError as error:
            raise missing("traces", "Traces") from error
        about = {"service.name": f"touchline-{role}", "service.version": VERSION}
        exporter = OTLPSpanExporter(settings.traces.endpoint, timeout=_EXPORT_S)
        # It hands over what is left when the process ends.
        provider = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create(about))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Any = provider.get_tracer("touchline", VERSION)
        self._sample, self._most, self._clock = settings.traces.sample, settings.traces.max_per_s, clock
        self._second, self._made = 0, 0

    def begin(self, name: str, given: str | None, *, trusted: bool) -> Any:
        """A span at a door, if the event is traced. Who is trusted decides that by the traceparent they gave;
        of everybody else, and of what came without one, chance does."""
        text = (given or "").encode("utf-8", "replace")
        known = _SHAPE.fullmatch(text)
        chosen = bool(int(known[3], 16) & _CHOSEN) if known and trusted else random.random() < self._sample  # noqa: S311
        if not chosen or not self._room():
            return None
        return self._tracer.start_span(name, context=_context(text) if known else None)

    def done(self, name: str, parent: bytes, since_ms: int, about: Mapping[str, Any]) -> None:
        """A role is done with a record that was appended then."""
        if self._room():
            span = self._tracer.start_span(
                name, context=_context(parent), start_time=since_ms * _NS, attributes=dict(about)
            )
            span.end(max(since_ms, self._clock.now_ms()) * _NS)

    def records(
        self, name: str, topic: str, partition: int, records: Iterable[tuple[Headers | None, int, int]]
    ) -> None:
        """Of a batch's records (headers, offset, append time) those that are traced are done."""
        for headers, offset, since_ms in records:
            if headers and (parent := traced(headers)) is not None:
                about = {
                    "messaging.system": "kafka",
                    "messaging.destination.name": topic,
                    "messaging.destination.partition.id": str(partition),
                    "messaging.kafka.offset": offset,
                }
                self.done(name, parent, since_ms, about)

    def together(self, name: str, parents: Sequence[tuple[bytes, int]], about: Mapping[str, Any]) -> None:
        """A batch is done: a span with links to its traced events, and one in the trace of each of them."""
        from opentelemetry.trace import Link, get_current_span  # noqa: PLC0415

        if not parents or not self._room():
            return
        links = [Link(get_current_span(_context(one)).get_span_context()) for one, _ in parents[:_MAX_LINKS]]
        since_ms = min(at for _, at in parents)
        span = self._tracer.start_span(
            f"{name} batch", links=links, start_time=since_ms * _NS, attributes=about
        )
        span.end(max(since_ms, self._clock.now_ms()) * _NS)
        for parent, at in parents:
            self.done(name, parent, at, about)

    def _room(self) -> bool:
        """Whether another span may be made in this second."""
        second = self._clock.now_ms() // _SECOND_MS
        if second != self._second:
            self._second, self._made = second, 0
        self._made += 1
        return self._made <= self._most


def open_tracing(settings: Settings, role: str, clock: Clock) -> Tracing | None:
    """None where nothing is traced."""
    return Tracing(settings, role, clock) if settings.traces.sample > 0 else None


def _header(about: Any) -> tuple[str, bytes]:
    return TRACEPARENT, f"00-{about.trace_id:032x}-{about.span_id:016x}-01".encode()


def _context(parent: bytes) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    return TraceContextTextMapPropagator().extract({TRACEPARENT: parent.decode()})
