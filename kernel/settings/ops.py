"""The settings of the operators' page: how long it keeps figures, and from when on something is wrong."""

from typing import Annotated

from msgspec import Meta

from kernel.settings.section import Count, Section


class Ops(Section, frozen=True):
    """The operators' page."""

    past_hours: Annotated[
        float, Meta(ge=0, le=168, description="for how long /ops keeps the roles' figures; 0: not at all")
    ] = 24.0
    lag_records: Annotated[
        Count, Meta(description="records that may wait for a role before /ops says that it is behind")
    ] = 1000
    latency_ms: Annotated[
        Count, Meta(description="how long 99 of 100 events may take to viewers before /ops says so")
    ] = 1000
    outbox_s: Annotated[
        Count, Meta(description="how old an event may be that a receiver lacks before /ops says so")
    ] = 60
