"""Records of a topic as they lie there, the newest first: read from Kafka within bounds, decoded. Blocks."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from control.entity.types import PAIR
from kernel.clock import Clock, to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config, unreachable
from kernel.settings.reading import Settings
from schemas.catalog import Catalog
from schemas.codec import Codec, Undecodable

#: Records that one request looks at; where none of them has the key, the answer says where to go on.
LOOKED_AT: Final = 50_000
#: Of a value as much is shown; a key, a header's value: `_MAX_NAME`.
MAX_TEXT: Final = 16 * 1024
_MAX_NAME: Final = 300
_MAX_HEADERS: Final = 50
_TIME_S: Final = 5.0
_ANSWER_S: Final = 5.0
#: With a key most records are another's: so many of each partition are read at once.
_CHUNK: Final = 2000
_TOO_DEEP: Final = "It is nested too deep to be shown."
#: What a role proves by it that it wrote a record is nobody's to see.
_SECRET: Final = frozenset({"touchline-signed"})


class Wanted(NamedTuple):
    """What is asked for. `before`: partition -> where reading ends; of those not named nothing is read."""

    topic: str
    key: str = ""
    partition: int | None = None
    before: Mapping[int, int] | None = None
    limit: int = 20


class _Found(NamedTuple):
    at_ms: int
    partition: int
    offset: int
    shown: dict[str, Any]


def read_newest(
    settings: Settings, catalog: Catalog, clock: Clock, wanted: Wanted
) -> tuple[list[dict[str, Any]], dict[int, int]]:
    """The newest records, and where the page before them ends; nothing where there is none.

    Raises `not_found`, `unavailable`.
    """
    consumer = Consumer(
        client_config(
            settings,
            group_id=f"{settings.topics.prefix}-records",  # never joined
            enable_partition_eof=True,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            queued_max_messages_kbytes=4 * 1024,
            fetch_queue_backoff_ms=10,
        )
    )
    try:
        return _Newest(consumer, catalog, clock, wanted).read()
    except KafkaException as error:
        raise unreachable(settings) from error
    finally:
        consumer.close()


class _Newest:
    def __init__(self, consumer: Consumer, catalog: Catalog, clock: Clock, wanted: Wanted) -> None:
        self._consumer, self._catalog, self._wanted = consumer, catalog, wanted
        self._monotonic = clock.monotonic
        self._codecs: dict[str, Codec] = {}
        self._until = clock.monotonic() + _TIME_S
        self._looked = 0

    def read(self) -> tuple[list[dict[str, Any]], dict[int, int]]:
        wanted = self._wanted
        lows, ends = self._bounds()
        chunk = _CHUNK if wanted.key else wanted.limit
        found: list[_Found] = []
        while len(found) < wanted.limit and self._looked < LOOKED_AT:
            starts = {p: max(lows[p], end - chunk) for p, end in ends.items() if end > lows[p]}
            # Whole or not at all: half of a span lacks its newest records.
            if not starts or (fresh := self._between(starts, ends)) is None:
                break
            found += fresh
            ends |= starts
        if self._monotonic() > self._until and not self._looked:
            raise TouchlineError(
                "unavailable",
                f"{wanted.topic} cannot be read in {_TIME_S:.0f} s.",
                hint="Name a partition, or a smaller limit.",
            )
        found.sort(key=lambda one: (one.at_ms, one.partition, one.offset), reverse=True)
        for one in found[wanted.limit :]:
            ends[one.partition] = max(ends[one.partition], one.offset + 1)
        return [one.shown for one in found[: wanted.limit]], {p: e for p, e in ends.items() if e > lows[p]}

    def _bounds(self) -> tuple[dict[int, int], dict[int, int]]:
        """Where the partitions begin that may have it, and where reading ends in each."""
        wanted = self._wanted
        known = self._consumer.list_topics(wanted.topic, timeout=_ANSWER_S).topics[wanted.topic]
        if known.error is not None or not known.partitions:
            raise TouchlineError("not_found", f"Kafka has no topic {wanted.topic}.")
        numbers = sorted(known.partitions)
        if wanted.partition is not None:
            if wanted.partition not in numbers:
                raise TouchlineError(
                    "not_found", f"{wanted.topic} has {len(numbers)} partitions, and no {wanted.partition}."
                )
            numbers = [wanted.partition]
        lows, ends = {}, {}
        for number in numbers:
            low, high = self._consumer.get_watermark_offsets(
                TopicPartition(wanted.topic, number), timeout=_ANSWER_S
            )
            before = wanted.before
            end = high if before is None else min(high, before.get(number, low))
            lows[number], ends[number] = low, max(low, end)
        return lows, ends

    def _between(self, starts: Mapping[int, int], ends: Mapping[int, int]) -> list[_Found] | None:
        """What lies there and has the key; None where time is up before."""
        topic = self._wanted.topic
        self._consumer.assign([TopicPartition(topic, p, start) for p, start in starts.items()])
        left, found, looked = set(starts), [], 0
        while left:
            if self._monotonic() > self._until:
                return None
            for message in self._consumer.consume(500, timeout=0.2):
                number = message.partition() or 0
                if (error := message.error()) is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        left.discard(number)
                    elif error.fatal():
                        raise KafkaException(error)
                    continue
                offset = message.offset() or 0
                if offset >= ends[number] - 1:
                    left.discard(number)
                if offset >= ends[number]:
                    continue
                looked += 1
                if self._has_key(message.key()):
                    at_ms = message.timestamp()[1]
                    found.append(_Found(at_ms, number, offset, self._shown(message, at_ms)))
        self._looked += looked
        return found

    def _has_key(self, key: bytes | None) -> bool:
        wanted = self._wanted.key
        if not wanted:
            return True
        shown = shown_key(key)
        return shown.startswith(wanted[:-1]) if wanted.endswith("*") else shown == wanted

    def _shown(self, message: Message, at_ms: int) -> dict[str, Any]:
        value = message.value()
        headers: list[tuple[str, bytes | None]] = list(message.headers() or [])  # type: ignore[arg-type]
        return {
            "partition": message.partition(),
            "offset": message.offset(),
            "at": to_rfc3339(at_ms),
            "key": None if message.key() is None else shown_key(message.key())[:_MAX_NAME],
            "bytes": len(value or b""),
            "headers": [_header(name, content or b"") for name, content in headers[:_MAX_HEADERS]],
            **shown_value(value, self._catalog, self._codecs),
        }


def _header(name: str, content: bytes) -> dict[str, str]:
    shown = "…" if name in _SECRET else _text(content[:_MAX_NAME])
    return {"name": name[:_MAX_NAME], "value": shown}


def shown_key(key: bytes | None) -> str:
    """A key as text; that of a pair with a comma between."""
    return _text((key or b"").replace(PAIR, b", "))


def shown_value(value: bytes | None, catalog: Catalog, codecs: dict[str, Codec]) -> dict[str, Any]:
    """What a value says: its schema, and its JSON; as text where it is none of ours, or too long to show."""
    if value is None:
        return {"schema": None, "problem": None, "value": None, "text": None, "cut": False}
    schema, decoded, problem = _decoded(value, catalog, codecs)
    told: dict[str, Any] = {"schema": schema, "problem": problem, "value": None}
    if problem is None:
        try:
            text = json.dumps(decoded, ensure_ascii=False, allow_nan=False, default=_plain)
        except ValueError:  # NaN, which no JSON has
            text = str(decoded)
        except RecursionError:
            told["problem"], text = _TOO_DEEP, _text(value[: MAX_TEXT + 1])
        else:
            if len(text) <= MAX_TEXT:
                return {**told, "value": msgspec.Raw(text.encode()), "text": None, "cut": False}
    else:
        text = _text(value[: MAX_TEXT + 1])
    return {**told, "text": text[:MAX_TEXT], "cut": len(text) > MAX_TEXT}


def _decoded(value: bytes, catalog: Catalog, codecs: dict[str, Codec]) -> tuple[str | None, Any, str | None]:
    """Schema, value, and why it cannot be read: by the schema that its header names, or as JSON."""
    if value[:1] != b"\0":
        try:
            return "JSON", msgspec.json.decode(value), None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None, None, "It is neither Avro with a header nor JSON."
        except RecursionError:
            return None, None, _TOO_DEEP
    number = int.from_bytes(value[1:5], "big")
    version = catalog.by_id(number)
    if version is None:
        return None, None, f"The schema id {number} is not one that Touchline knows."
    try:
        if version.name not in codecs:
            codecs[version.name] = Codec(version.name, catalog)
        return str(version), codecs[version.name].decode(value), None
    except Undecodable as error:
        return str(version), None, error.message


def _plain(value: Any) -> Any:
    """Bytes inside of a value are often JSON themselves: that of an event, of a refused record."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(value)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
