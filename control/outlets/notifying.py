"""What a user wants to be told: types, quiet hours, and where else than in the page. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec.structs import replace

from control.commands.signed import opened
from control.entity.fold import Change, Input
from kernel.access.signing import Signer
from kernel.access.users import check_user, name_in_channel
from kernel.errors import TouchlineError

SET_NOTIFYING: Final = "set_notifying"
#: Up to which event of followed channels the user was told.
NOTE_TOLD: Final = "note_told"
#: The user looks at what they are told: what is derived only then is to be written now, by the outbox.
LOOK: Final = "look"
#: What one is told of.
TYPES: Final = ("mention", "reply", "live_started", "friend", "invited")
_QUIET: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d) ([A-Za-z0-9+_/\-]{1,64})")
_DAY_MIN: Final = 24 * 60


class Notifying(msgspec.Struct, frozen=True, kw_only=True):
    """The value of a record in touchline.notifying."""

    user: str
    off: tuple[str, ...] = ()
    quiet: str = ""
    webhook: str = ""
    #: Sealed (control/outlets/secrets.py), as is `push`.
    secret: str = ""
    push: str = ""
    told: str = ""
    since: int = 0
    revision: int = 0
    places: dict[str, int] = {}

    def wants(self, type_: str) -> bool:
        """Whether the user wants to be told of this."""
        return type_ not in self.off


class _Said(msgspec.Struct, frozen=True):
    """What the commands say; `told` alone is what `note_told` does."""

    notifying: Notifying


class Quiet(NamedTuple):
    """Hours of a day in which nothing is sent to a user's devices; minutes of the day, in a zone."""

    start: int
    end: int
    zone: ZoneInfo

    def until(self, now_ms: int) -> int:
        """When the quiet hours that it is in end; 0: it is in none."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(self.zone)
        minute = now.hour * 60 + now.minute
        length = (self.end - self.start) % _DAY_MIN
        into = (minute - self.start) % _DAY_MIN
        if into >= length:
            return 0
        # By the clock on the wall: where it is set forward or back meanwhile, the hours are.
        day = now.date() + timedelta(days=1 if self.end <= minute else 0)
        ends = datetime(day.year, day.month, day.day, self.end // 60, self.end % 60, tzinfo=self.zone)
        return round(ends.timestamp() * 1000)


def read_quiet(text: str) -> Quiet:
    """`22:00-07:00 Europe/Paris`. Raises `bad_request`."""
    match = _QUIET.fullmatch(text)
    if match is None:
        raise TouchlineError("bad_request", f"quiet is {text[:80]!r}: write it as 22:00-07:00 Europe/Paris.")
    hours = [int(part) for part in match.groups()[:4]]
    start, end = hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]
    if start == end:
        raise TouchlineError("bad_request", "Quiet hours that begin when they end are none.")
    try:
        zone = ZoneInfo(match[5])
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TouchlineError("bad_request", f"There is no time zone {match[5][:64]!r}.") from None
    return Quiet(start, end, zone)


def off_of(types: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that are turned off. Raises `bad_request` for what is none."""
    for name, on in types.items():
        if name not in TYPES:
            raise TouchlineError(
                "bad_request", f"{name[:40]!r} is no type of notifications: {', '.join(TYPES)} are."
            )
        if not isinstance(on, bool):
            raise TouchlineError("bad_request", f"{name} is true or false.")
    return tuple(name for name in TYPES if types.get(name) is False)


StateOf = Callable[[bytes], Notifying | None]


def fold_notifying(signer: Signer) -> Callable[[Input, StateOf], Sequence[Change[Notifying]]]:
    """What `set_notifying` and `note_told` do."""

    def fold(given: Input, state: StateOf) -> Sequence[Change[Notifying]]:
        command, key = given.value["command"], given.key.decode("utf-8", "replace")
        try:
            said = msgspec.json.decode(
                opened(command, key, given.value["arguments"], signer), type=_Said
            ).notifying
        except (msgspec.MsgspecError, ValueError) as error:
            raise TouchlineError("bad_request", f"This says nobody's wishes: {error}.") from None
        check_user(said.user)
        if name_in_channel(said.user) != key:
            raise TouchlineError("bad_request", "The command is about another user than it says.")
        if command == LOOK:
            return []  # it changes nothing that is kept
        before = state(given.key) or Notifying(user=said.user)
        if command == NOTE_TOLD:
            later = said.told.isdigit() and int(said.told) > int(before.told or "0")
            return [Change(given.key, replace(before, told=said.told))] if later else []
        now = replace(
            said, since=given.append_ms, told=before.told, revision=before.revision, places=before.places
        )
        return [Change(given.key, now)]

    return fold


def read_look(key: str, arguments: str | bytes, signer: Signer) -> str:
    """The user who looks. Raises `forbidden` or `bad_request` for what no door has said."""
    try:
        said = msgspec.json.decode(opened(LOOK, key, arguments, signer), type=_Said).notifying
    except (msgspec.MsgspecError, ValueError) as error:
        raise TouchlineError("bad_request", f"Nobody looks: {error}.") from None
    return said.user


def said_of(notifying: Notifying) -> dict[str, Any]:
    """Arguments of the commands."""
    said: dict[str, Any] = msgspec.to_builtins(_Said(notifying))
    return said


def shown(notifying: Notifying) -> dict[str, Any]:
    """Somebody's wishes as every way in shows them: secrets never again."""
    return {
        "types": {name: notifying.wants(name) for name in TYPES},
        "quiet": notifying.quiet or None,
        "webhook": notifying.webhook or None,
        "push": bool(notifying.push),
    }
