"""Recorded events: lines of NDJSON or rows of CSV, each read into an event and the time when it happened."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, Final, NamedTuple, TextIO

import msgspec

from kernel.errors import TouchlineError
from kernel.log.positions import Kind, Stream
from producers.posts import Post
from schemas.ingest import read_time

_FIELDS: Final = frozenset({"stream", "type", "key", "sender", "client_ts"})
_NUMBERS: Final = frozenset({"lat", "lon", "accuracy", "heading", "speed"})
#: What `watch --json` and history show beside; the log gives them anew.
_GIVEN_ANEW: Final = ("seq", "prev", "id", "n", "members_at", "server_ts", "op")


class Recorded(NamedTuple):
    """One event of a recording."""

    number: int
    #: Milliseconds since 1970; None where the recording does not say.
    at_ms: int | None
    post: Post


def read_ndjson(lines: BinaryIO, stream: Stream | None) -> Iterator[Recorded]:
    """Events as `touchline watch --json` prints them, or as they are posted. Errors name the line."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise _wrong(number, f"is not a JSON object: {error}.") from None
        yield _recorded(number, fields, stream)


def read_csv(text: TextIO, stream: Stream | None, columns: Mapping[str, str]) -> Iterator[Recorded]:
    """Rows with a heading; `columns` says which column a field is in, like `text` -> `comment`.

    Fields that are not mapped come from the column of their name; other columns become part of `data`.
    """
    reader = csv.DictReader(text)
    missing = set(columns.values()) - set(reader.fieldnames or ())
    if missing:
        raise TouchlineError("bad_request", f"The file has no column {min(missing)!r}.")
    named = {column: field for field, column in columns.items()}
    for number, row in enumerate(reader, 2):
        fields: dict[str, Any] = {}
        data: dict[str, Any] = {}
        for column, value in row.items():
            if column is None or value is None:
                raise _wrong(number, "has more or fewer columns than the heading.")
            name = named.get(column, column)
            if value == "":
                continue
            if name in _FIELDS:
                fields[name] = value
            else:
                data[name] = _number(number, name, value) if name in _NUMBERS else value
        yield _recorded(number, {**fields, "data": data}, stream)


def _recorded(number: int, fields: dict[str, Any], stream: Stream | None) -> Recorded:
    happened = fields.get("client_ts") or fields.get("server_ts")
    for name in _GIVEN_ANEW:
        fields.pop(name, None)
    named = fields.pop("stream", None)
    try:
        at_ms = read_time(happened) if isinstance(happened, str | int | None) else None
        target = stream or Stream.parse(str(named or ""))
        post = msgspec.convert(
            {
                **fields,
                "client_ts": read_time(fields.get("client_ts")),
                "channel": target.channel,
                "kind": target.kind,
            },
            _RecordedEvent,
        )
    except msgspec.ValidationError as error:
        raise _wrong(number, f"is not an event: {error}.") from None
    except ValueError as error:
        raise _wrong(number, f"names no stream (or give --stream): {error}.") from None
    except TouchlineError as error:
        raise _wrong(number, f"is not an event: {error.message}") from None
    return Recorded(number, at_ms, Post(**{name: getattr(post, name) for name in post.__struct_fields__}))


class _RecordedEvent(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    kind: Kind
    channel: str
    data: dict[str, Any] = {}
    type: str | None = None
    key: str | None = None
    sender: str | None = None
    client_ts: int | None = None


def paced(recorded: Iterable[Recorded], speed: float | None) -> Iterator[tuple[float, Post]]:
    """(Seconds from the start, event): at `speed` times the pace of the recording; None: all at once."""
    first: int | None = None
    at_s = 0.0
    for event in recorded:
        if speed is not None and event.at_ms is not None:
            first = event.at_ms if first is None else first
            # A recording that jumps back does not wait: its order counts.
            at_s = max(at_s, (event.at_ms - first) / 1000 / speed)
        yield at_s, event.post


def _number(number: int, name: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise _wrong(number, f"has {value[:40]!r} as {name}, which is not a number.") from None


def _wrong(number: int, what: str) -> TouchlineError:
    return TouchlineError("bad_request", f"Line {number} {what}")
