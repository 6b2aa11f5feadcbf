"""What sections of the settings are made of."""

from typing import Annotated

import msgspec
from msgspec import Meta

Port = Annotated[int, Meta(ge=0, le=65535)]
Count = Annotated[int, Meta(ge=1)]
Rate = Annotated[float, Meta(gt=0)]
Seconds = Annotated[float, Meta(gt=0)]
NamedDays = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,40}=[1-9][0-9]{0,4}$")]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of touchline.toml. A field's text is its line in docs/settings.md."""
