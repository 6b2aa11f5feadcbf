"""From what producers post to an event of the schema `ingest-<kind>`: Avro, JSON, or Python values."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from kernel.clock import from_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.topics import MAX_EVENT_BYTES
from schemas.checks import check_depth, check_ingest, invalid, too_deep
from schemas.codec import Codec, Undecodable
from schemas.compiled import UNUSUAL

DEFAULT_TYPE: Final[Mapping[Kind, str]] = MappingProxyType({Kind.CHAT: "message", Kind.LOCATION: "position"})
_AVRO: Final = 0
_SPACE: Final = b" \t\r\n"


class JsonEvent(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An event as JSON on the outside: in Kafka, over HTTP, from a viewer."""

    type: str | None = None
    key: str | None = None
    sender: str | None = None
    client_ts: str | int | None = None
    data: dict[str, Any] = {}


_json_event: Final = msgspec.json.Decoder(JsonEvent).decode
_to_json: Final = msgspec.json.Encoder().encode
_CODECS: Final = MappingProxyType({kind: Codec(f"ingest-{kind}") for kind in Kind})


def decode_ingest(kind: Kind, value: bytes, codec: Codec | None = None) -> dict[str, Any]:
    """The valid event in a record's value: Avro in Confluent's wire format, or a JSON object.

    Raises Undecodable (`undecodable`, `unknown_schema`), or TouchlineError `invalid_event` or `too_large`.
    """
    return read_ingest(kind, value, codec or _CODECS[kind])[0]


def read_ingest(kind: Kind, value: bytes, codec: Codec) -> tuple[dict[str, Any], bool]:
    """As `decode_ingest`, and whether the value is as the codec itself writes it: its bytes may go on as they
    are."""
    if len(value) > MAX_EVENT_BYTES:
        raise TouchlineError(
            "too_large", f"The event has {len(value)} bytes; at most {MAX_EVENT_BYTES} are allowed."
        )
    straight = codec.straight
    if straight is not None and value.startswith(codec.prefix):
        try:
            event: dict[str, Any] = straight(value)
        except UNUSUAL:
            pass
        else:
            check_ingest(kind, event)
            return event, True
    return _unusual(kind, value, codec), False


def _unusual(kind: Kind, value: bytes, codec: Codec) -> dict[str, Any]:
    if not value:
        raise Undecodable("undecodable", "The value is empty.")
    if value[0] == _AVRO:
        event = codec.decode(value)
        check_ingest(kind, event)
        return event
    if value.lstrip(_SPACE)[:1] != b"{":
        raise Undecodable(
            "undecodable", "The value is neither Avro in Confluent's wire format nor a JSON object."
        )
    return decode_json(kind, value)


def decode_json(kind: Kind, value: bytes) -> dict[str, Any]:
    """The valid event in a JSON object. Raises like `decode_ingest`."""
    posted = read_json(kind, value)
    return make_ingest(
        kind,
        posted.type,
        posted.data,
        key=posted.key,
        sender=posted.sender,
        client_ts=read_time(posted.client_ts),
    )


def read_json(kind: Kind, value: bytes) -> JsonEvent:
    """A JSON object with an event's fields; their values are not checked yet."""
    if value.lstrip(_SPACE)[:1] != b"{":
        raise Undecodable("undecodable", "The value is not a JSON object.")
    try:
        posted = _json_event(value)
    except RecursionError:
        raise too_deep("The event") from None
    except msgspec.ValidationError as error:
        raise invalid(f"The event is not of the kind {kind}: {error}.") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise Undecodable("undecodable", f"The value is not JSON: {error}.") from None
    check_depth(posted.data, value.count(b"{") + value.count(b"["), "data")
    return posted


def make_ingest(
    kind: Kind,
    type_: str | None,
    data: Mapping[str, Any],
    *,
    key: str | None = None,
    sender: str | None = None,
    client_ts: int | None = None,
) -> dict[str, Any]:
    """A valid event of `ingest-<kind>`, from its `data` as JSON shows it. Raises `invalid_event`."""
    event = {
        "type": default_type(kind) if type_ is None else type_,
        "key": key,
        "sender": sender,
        "client_ts": client_ts,
        "data": write_data(kind, data),
    }
    check_ingest(kind, event)
    return event


def default_type(kind: Kind) -> str:
    """The type of an event that names none. Raises `invalid_event` for a broadcast, which has to."""
    found = DEFAULT_TYPE.get(kind)
    if found is None:
        raise invalid("type is missing: a broadcast has to name one, like goal.")
    return found


def write_data(kind: Kind, data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` as the schema has it, from the JSON object that it is on the outside. Raises `invalid_event`."""
    return _DATA[kind](data)


def read_time(value: str | int | None) -> int | None:
    """`client_ts` in milliseconds since 1970. Raises `invalid_event`."""
    if value is None or isinstance(value, int):
        return value
    try:
        return from_rfc3339(value)
    except (ValueError, OverflowError):
        raise invalid(
            f"client_ts is {value[:60]!r}: it is a time like 2026-06-11T19:00:00.000Z,"
            " or milliseconds since 1970."
        ) from None


def _broadcast(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"json": _text_of(data)}


def _chat(data: Mapping[str, Any]) -> dict[str, Any]:
    rest = dict(data)
    text, target = rest.pop("text", ""), rest.pop("target", None)
    if not isinstance(text, str):
        raise invalid("data.text is not a string.")
    if target is not None and not isinstance(target, str):
        raise invalid("data.target is not a string: it is the id of an event.")
    return {"text": text, "target": target, "extra": _text_of(rest) if rest else None}


def _location(data: Mapping[str, Any]) -> dict[str, Any]:
    rest = dict(data)
    made: dict[str, Any] = {
        "lat": _number(rest.pop("lat", None), "lat"),
        "lon": _number(rest.pop("lon", None), "lon"),
    }
    for name in ("accuracy", "heading", "speed"):
        value = rest.pop(name, None)
        made[name] = None if value is None else _number(value, name)
    made["extra"] = _text_of(rest) if rest else None
    return made


_DATA: Final[Mapping[Kind, Callable[[Mapping[str, Any]], dict[str, Any]]]] = MappingProxyType(
    {Kind.BROADCAST: _broadcast, Kind.CHAT: _chat, Kind.LOCATION: _location}
)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"data.{name} is missing." if value is None else f"data.{name} is not a number.")
    if isinstance(value, int) and abs(value) > 10**9:
        raise invalid(f"data.{name} is out of range.")
    return float(value)


def _text_of(data: Mapping[str, Any]) -> str:
    """A JSON object as text, in one line."""
    try:
        text = _to_json(data).decode()
        # JSON has no NaN and no infinity: the encoder writes null, which would change the data in silence.
        if "null" in text and _has_non_finite(data):
            raise invalid("data holds a number that is not finite (NaN or infinity): JSON has none.")
        return text
    except RecursionError:
        raise too_deep("data") from None
    except (TypeError, ValueError) as error:
        raise invalid(f"data cannot be written as JSON: {error}.") from None


def _has_non_finite(value: Any) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, Mapping):
        return any(_has_non_finite(part) for part in value.values())
    if isinstance(value, list | tuple):
        return any(_has_non_finite(part) for part in value)
    return False
