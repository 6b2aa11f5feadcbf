"""The settings of what one user may take, and what all together may."""

from typing import Annotated

from msgspec import Meta

from kernel.settings.section import Count, Section


class Limits(Section, frozen=True):
    """What each user may do, over all edges and gateways. Whoever may `admin` on `*` is not bound by it."""

    events_per_s: Annotated[float, Meta(gt=0, description="events a second that a user may send")] = 1000.0
    events_at_once: Annotated[Count, Meta(description="events that a user may send at once")] = 10_000
    bytes_per_s: Annotated[Count, Meta(description="bytes of events a second that a user may send")] = (
        4 * 1024 * 1024
    )
    bytes_at_once: Annotated[Count, Meta(description="bytes of events that a user may send at once")] = (
        64 * 1024 * 1024
    )
    reads_per_s: Annotated[
        float, Meta(gt=0, description="pages of history and of searches a second that a user may ask for")
    ] = 50.0
    reads_at_once: Annotated[Count, Meta(description="such pages that a user may ask for at once")] = 500
    read_bytes_per_s: Annotated[Count, Meta(description="bytes of them a second")] = 16 * 1024 * 1024
    read_bytes_at_once: Annotated[Count, Meta(description="bytes of them at once")] = 256 * 1024 * 1024
    commands_per_s: Annotated[
        float,
        Meta(gt=0, description="changes of channels, alerts and the like a second that a user may ask for"),
    ] = 20.0
    commands_at_once: Annotated[Count, Meta(description="such changes that a user may ask for at once")] = 500
    closed_channels: Annotated[
        Count,
        Meta(description="channels with `readers` of those that somebody administers; 1 KB counts as one"),
    ] = 5000
    rooms_of_a_user: Annotated[Count, Meta(description="rooms that a user may be in")] = 5000
    follows_of_a_user: Annotated[Count, Meta(description="channels that a user may follow")] = 2000
    page_bytes: Annotated[Count, Meta(description="bytes at which a page of history or hits ends")] = (
        4 * 1024 * 1024
    )
    pages_under_way: Annotated[
        Count, Meta(description="pages that may be on their way to one user at once")
    ] = 8
    pages_under_way_in_all: Annotated[
        Count, Meta(description="pages that may be on their way from one process at once")
    ] = 128
    attachment_bytes_per_hour: Annotated[
        Count, Meta(description="bytes of attachments an hour that a user may upload; so many at once")
    ] = 1024**3
    uploads_at_once: Annotated[
        Count, Meta(description="attachments that a user may have announced and not uploaded yet")
    ] = 32
    unbound: Annotated[
        tuple[str, ...],
        Meta(description="users whom nothing of this binds: services that post for many"),
    ] = ()
