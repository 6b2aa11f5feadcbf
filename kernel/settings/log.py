"""The settings of what is logged."""

from typing import Annotated, Literal

from msgspec import Meta

from kernel.settings.section import Section


class Log(Section, frozen=True):
    """Logging, to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="least level shown")] = (
        "info"
    )
    format: Annotated[
        Literal["auto", "human", "json"], Meta(description="auto: human on a terminal, JSON otherwise")
    ] = "auto"
