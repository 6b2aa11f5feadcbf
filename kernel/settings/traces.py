"""The settings of traces: how single events went through all roles."""

from typing import Annotated

from msgspec import Meta

from kernel.settings.section import Count, Section


class Traces(Section, frozen=True):
    """Traces of single events, by OpenTelemetry; they need the extra `traces`."""

    sample: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="the share of events that are traced from the door on; 0: no traces at all",
        ),
    ] = 0.0
    endpoint: Annotated[
        str, Meta(description="where spans are posted to, by OTLP over HTTP, like a collector's or Jaeger's")
    ] = "http://127.0.0.1:4318/v1/traces"
    max_per_s: Annotated[
        Count, Meta(description="spans a second that a role makes at most, whoever asks for traces")
    ] = 500
