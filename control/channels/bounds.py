"""What may be set for a channel, within what bounds: one table for HTTP, command line and workers. Pure."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from kernel.access.users import MAX_USER
from kernel.errors import TouchlineError

MAX_SHARDS: Final = 256
#: All names and words of a channel's settings together: a record keeps earlier settings too, and has to fit.
MAX_SETTINGS_BYTES: Final = 64 * 1024
#: A command's arguments, as text.
MAX_ARGUMENTS_BYTES: Final = 128 * 1024


class Flag(NamedTuple):
    """True or false."""

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def fault(self, value: Any) -> str | None:
        return None if isinstance(value, bool) else "it is true or false"


class Number(NamedTuple):
    """A number within bounds."""

    low: float
    high: float
    whole: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "integer" if self.whole else "number", "minimum": self.low, "maximum": self.high}

    def fault(self, value: Any) -> str | None:
        kind: Any = int if self.whole else (int, float)
        if (
            isinstance(value, kind)
            and not isinstance(value, bool)
            and self.low <= value <= self.high  # which NaN is not
        ):
            return None
        return f"it is a {'whole ' if self.whole else ''}number from {self.low:,} to {self.high:,}"


class Texts(NamedTuple):
    """A list of names or words."""

    most: int
    longest: int

    @property
    def schema(self) -> dict[str, Any]:
        item = {"type": "string", "minLength": 1, "maxLength": self.longest}
        return {"type": "array", "items": item, "maxItems": self.most}

    def fault(self, value: Any) -> str | None:
        if (
            isinstance(value, list | tuple)
            and len(value) <= self.most
            and all(isinstance(one, str) and 0 < len(one) <= self.longest and _is_text(one) for one in value)
        ):
            return None
        return f"it is a list of at most {self.most:,} texts of 1 to {self.longest} characters"


class Name(NamedTuple):
    """A name that some other setting defines."""

    pattern: str

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": self.pattern}

    def fault(self, value: Any) -> str | None:
        return None if isinstance(value, str) and re.search(self.pattern, value) else "it is a name"


Rule = Flag | Number | Texts | Name

_PEOPLE: Final = Texts(5000, MAX_USER)
#: Setting -> what it may be; `null` takes any of them back to what it was before anybody set it.
SETTINGS: Final[Mapping[str, Rule]] = MappingProxyType(
    {
        "members_only": Flag(),
        "members": _PEOPLE,
        "rate_per_s": Number(0.001, 1_000_000),
        "rate_binds_producers": Flag(),
        "max_text": Number(1, 1_000_000, whole=True),
        "blocked": Texts(1000, 100),
        "min_shards": Number(1, MAX_SHARDS, whole=True),
        "max_shards": Number(1, MAX_SHARDS, whole=True),
        "publishers": _PEOPLE,
        "readers": _PEOPLE,
        "slow_s": Number(0.001, 24 * 60 * 60),
        "retention": Name("^[A-Za-z0-9_-]{1,40}$"),
        "numbered": Flag(),
        "feed": Texts(20, 64),
        "reactions": Texts(100, 32),
        "counters": Flag(),
        "language": Name("^[a-z]{1,40}$"),
    }
)


def check_settings(wanted: Mapping[str, Any]) -> None:
    """Raise `bad_request` where one of these is no setting, or has a value that it cannot have."""
    for name, value in wanted.items():
        rule = SETTINGS.get(name)
        if rule is None:
            raise TouchlineError(
                "bad_request",
                f"{str(name)[:40]!r} is not a setting of a channel: {', '.join(SETTINGS)} are.",
            )
        if value is not None and (fault := rule.fault(value)):
            raise TouchlineError("bad_request", f"{name} is {shortly(value)}: {fault}, or null.")


def shortly(value: Any) -> str:
    """A value that was given, for a sentence."""
    if isinstance(value, list | tuple | dict):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    try:
        return f"{value!r}"[:40]
    except ValueError:  # a number of more digits than Python writes
        return "too large a number"


def _is_text(value: str) -> bool:
    """Not half of a pair of surrogates, which JSON can hold and no record can."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
