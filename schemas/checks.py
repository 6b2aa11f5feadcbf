"""What makes an ingest event valid: pure, cheap (workers ask 60,000 times a second), the same everywhere."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from kernel.attachment_ids import MOST as MOST_ATTACHMENTS
from kernel.attachment_ids import is_attachment
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, is_channel
from schemas.combining_marks import MOST, too_many

MAX_KEY: Final = 128
MAX_SENDER: Final = 128
MAX_TYPE: Final = 64
MAX_DEPTH: Final = 32
#: 2000-01-01 to 2100-01-01: beyond it a clock or a unit is wrong (seconds, microseconds, 9999).
EARLIEST_MS: Final = 946_684_800_000
LATEST_MS: Final = 4_102_444_800_000

_TYPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
_USUAL_TYPES: Final = frozenset({"message", "edit", "retract", "position"})
_ID: Final = re.compile(r"[0-9]{1,40}").fullmatch
_decode_json: Final = msgspec.json.Decoder().decode
#: Chat events that are about another one, which `data.target` names.
EDIT: Final = "edit"
RETRACT: Final = "retract"
PIN: Final = "pin"
#: What moderators alone may do: the message stays in view, or does no more.
PINS: Final = frozenset({PIN, "unpin"})
#: Of these what moderators do, as such.
OF_OFFICE: Final = frozenset({RETRACT, *PINS})
CHANGES: Final = frozenset({EDIT, *OF_OFFICE})
#: What has no text of its own: what is taken back or pinned, and changes of a room.
_SAY_NOTHING: Final = frozenset({RETRACT, "room", *PINS})
_LOCATION: Final = frozenset({"lat", "lon", "accuracy", "heading", "speed"})
_CHAT: Final = frozenset({"text", "target"})


def is_id(given: Any) -> bool:
    """Whether this may be the id of an event."""
    return isinstance(given, str) and _ID(given) is not None


def invalid(sentence: str) -> TouchlineError:
    """The error for an event that has not the shape that its kind asks for."""
    return TouchlineError("invalid_event", sentence)


def check_channel(channel: str) -> None:
    """Raise `bad_channel` where the name is not a channel's."""
    if not is_channel(channel):
        raise TouchlineError(
            "bad_channel",
            f"{channel[:150]!r} is not a channel's name: 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -",
        )


def check_ingest(kind: Kind, event: Mapping[str, Any]) -> None:
    """Raise `invalid_event` where an event of the schema `ingest-<kind>` is not valid.

    Types are those of the schema: this is about values. Comparisons are written so that NaN fails them.
    """
    if event["type"] not in _USUAL_TYPES and _TYPE(event["type"]) is None:
        raise invalid(
            f"type is {event['type'][:80]!r}: it is 1 to {MAX_TYPE} letters, digits and . _ : -"
            " and starts with a letter or digit."
        )
    key = event["key"]
    if key is not None and not 0 < len(key) <= MAX_KEY:
        raise invalid(f"key has {len(key)} characters: it has 1 to {MAX_KEY}, or is left out.")
    sender = event["sender"]
    if sender is not None and not 0 < len(sender) <= MAX_SENDER:
        raise invalid(f"sender has {len(sender)} characters: it has 1 to {MAX_SENDER}, or is left out.")
    client_ts = event["client_ts"]
    if client_ts is not None and not EARLIEST_MS <= client_ts < LATEST_MS:
        raise invalid("client_ts lies outside of the years 2000 to 2099.")
    _CHECKS[kind](event["type"], event["data"])


def _check_chat(type_: str, data: Mapping[str, Any]) -> None:
    extra = None if data["extra"] is None else _check_extra(data["extra"], _CHAT)
    attached = extra is not None and "attachments" in extra and _check_attachments(extra["attachments"])
    if not data["text"] and not attached and type_ not in _SAY_NOTHING:
        raise invalid("data.text is missing or empty.")
    if too_many(data["text"]):
        raise invalid(f"data.text has more than {MOST} combining marks in a row.")
    target = data["target"]
    if target is None:
        if type_ in CHANGES:
            raise invalid(f"data.target is missing: it is the id of the event that this {type_} is about.")
    elif _ID(target) is None:
        raise invalid(f"data.target is {target[:60]!r}: it is an event's id, a string of digits.")


def _check_attachments(given: Any) -> bool:
    """Whether there are any. Raises `invalid_event` where this is no list of names, and `not_found` where one
    cannot be an attachment's: as any other that is not there."""
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise invalid("data.attachments is not a list of ids that POST /v1/attachments has given.")
    for one in given:
        if not is_attachment(one):
            raise TouchlineError("not_found", f"There is no attachment {one[:60]!r} here.")
    if len(given) > MOST_ATTACHMENTS:
        raise invalid(f"data.attachments has {len(given)} ids: at most {MOST_ATTACHMENTS} go with a message.")
    if len(set(given)) < len(given):
        raise invalid("data.attachments names one twice.")
    return bool(given)


def _check_location(_: str, data: Mapping[str, Any]) -> None:
    if not -90 <= data["lat"] <= 90:
        raise invalid(f"data.lat is {data['lat']}: it lies between -90 and 90.")
    if not -180 <= data["lon"] <= 180:
        raise invalid(f"data.lon is {data['lon']}: it lies between -180 and 180.")
    accuracy, heading, speed = data["accuracy"], data["heading"], data["speed"]
    if accuracy is not None and not 0 <= accuracy < 1e9:
        raise invalid(f"data.accuracy is {accuracy}: it is in metres, 0 or more.")
    if heading is not None and not 0 <= heading <= 360:
        raise invalid(f"data.heading is {heading}: it is in degrees, 0 to 360.")
    if speed is not None and not 0 <= speed < 1e9:
        raise invalid(f"data.speed is {speed}: it is in metres a second, 0 or more.")
    if data["extra"] is not None:
        _check_extra(data["extra"], _LOCATION)


def _check_broadcast(_: str, data: Mapping[str, Any]) -> None:
    check_json_object(data["json"], "data")


_CHECKS: Final[Mapping[Kind, Callable[[str, Mapping[str, Any]], None]]] = MappingProxyType(
    {Kind.CHAT: _check_chat, Kind.LOCATION: _check_location, Kind.BROADCAST: _check_broadcast}
)


def _check_extra(text: str, taken: frozenset[str]) -> dict[str, Any]:
    extra = check_json_object(text, "data.extra")
    if both := taken.intersection(extra):
        raise invalid(f"data.extra repeats {min(both)}, which is a field of its own.")
    return extra


def check_json_object(text: str, where: str) -> dict[str, Any]:
    """The JSON object that `text` is. It goes to viewers as it stands, so it has to be one, in one line."""
    if "\n" in text or "\r" in text:
        raise invalid(f"{where} is JSON over several lines: write it in one.")
    try:
        value = _decode_json(text)
    except RecursionError:
        raise too_deep(where) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise invalid(f"{where} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise invalid(f"{where} is not a JSON object.")
    check_depth(value, text.count("{") + text.count("["), where)
    return value


def check_depth(value: Any, brackets: int, where: str) -> None:
    """Raise where `value` is nested deeper than allowed; `brackets` tells cheaply that it cannot be."""
    if brackets > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise too_deep(where)


_NESTED: Final = frozenset({dict, list})


def too_deep(where: str) -> TouchlineError:
    return invalid(f"{where} is nested deeper than {MAX_DEPTH} levels.")


def _deeper_than(value: Any, levels: int) -> bool:
    """Level by level: a call for each value would take a quarter of a second for the largest events."""
    level = [value] if type(value) in _NESTED else []
    for _ in range(levels):
        if not level:
            return False
        level = [
            part
            for value in level
            for part in (value.values() if type(value) is dict else value)
            if type(part) in _NESTED
        ]
    return bool(level)
