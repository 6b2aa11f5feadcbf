"""The settings of nearby: friends' positions, and places that watch."""

from typing import Annotated

from msgspec import Meta

from kernel.settings.section import Count, Seconds, Section


class Nearby(Section, frozen=True):
    """Who is near, and places that watch."""

    radius: Annotated[
        str, Meta(description="how far is near, where nobody says: a distance in m, km, mi, ft or yd")
    ] = "5mi"
    inactive_s: Annotated[Seconds, Meta(description="whoever says nothing for so long is shown no more")] = (
        600.0
    )
    max_speed_m_s: Annotated[
        float,
        Meta(gt=0, description="metres a second; a position that nobody can have come to is refused"),
    ] = 350.0
    public_cell_m: Annotated[
        float,
        Meta(ge=100, le=100_000, description="who is shown to everybody is shown as in a cell so wide"),
    ] = 1000.0
    fence_hysteresis_m: Annotated[
        float, Meta(ge=0, description="so far beyond a fence's border somebody has left it")
    ] = 25.0
    max_friends: Annotated[Count, Meta(description="friends that one user may have")] = 5000
    max_fences_of_a_user: Annotated[Count, Meta(description="fences that one user may have made")] = 1000
    max_fences: Annotated[Count, Meta(description="fences that there may be")] = 2_000_000
