"""An accepted event as the JSON that viewers, history and search show: rendered once, by the worker."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import msgspec

from kernel.log.positions import Kind
from schemas.events import ChatBody, EventBody, LocationBody

_encode: Final = msgspec.json.Encoder().encode
_THOUSANDTHS: Final = [f"{n:03d}Z" for n in range(1000)]
_ATTACHED: Final = '"attachments"'
_STREAM: Final = MappingProxyType({kind: f"{kind}:" for kind in Kind})


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}."


def rfc3339(ms: int) -> str:
    """As kernel.clock.to_rfc3339, but events of one second share the text up to the dot."""
    return _second(ms // 1000) + _THOUSANDTHS[ms % 1000]


def render(kind: Kind, event: Mapping[str, Any]) -> bytes:
    """An event of the schema `event-<kind>` as JSON, in one line, without `op` and `prev`."""
    client_ts = event["client_ts"]
    return _encode(
        EventBody(
            _STREAM[kind] + event["channel"],
            event["seq"],
            event["id"],
            event.get("n"),
            event.get("members_at"),
            event["key"],
            event["type"],
            event["sender"],
            None if client_ts is None else rfc3339(client_ts),
            rfc3339(event["server_ts"]),
            _DATA[kind](event["data"]),
        )
    )


def data_of(kind: Kind, data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` of an event of the schemas as the JSON object that it is on the outside."""
    shown: dict[str, Any] = msgspec.json.decode(_encode(_DATA[kind](data)))
    return shown


def _broadcast(data: Mapping[str, Any]) -> msgspec.Raw:
    return msgspec.Raw(data["json"])


def _chat(data: Mapping[str, Any]) -> ChatBody | msgspec.Raw:
    body, extra = ChatBody(data["text"], data["target"]), data["extra"]
    if extra is None:
        return body
    joined = _joined(body, extra)
    if not body.text and _ATTACHED in extra:  # a message all the same: its text is empty, not absent
        return msgspec.Raw(b'{"text":"",' + bytes(joined)[1:])
    return joined


def _location(data: Mapping[str, Any]) -> LocationBody | msgspec.Raw:
    body = LocationBody(data["lat"], data["lon"], data["accuracy"], data["heading"], data["speed"])
    return body if data["extra"] is None else _joined(body, data["extra"])


def _joined(body: ChatBody | LocationBody, extra: str) -> msgspec.Raw:
    """The fields of both in one. The checks have seen that none is in both, and that extra is one line."""
    one, other = _encode(body)[1:-1], extra.strip()[1:-1].strip().encode()
    return msgspec.Raw(b"{" + b",".join(part for part in (one, other) if part) + b"}")


_DATA: Final[Mapping[Kind, Callable[[Mapping[str, Any]], ChatBody | LocationBody | msgspec.Raw]]] = (
    MappingProxyType({Kind.BROADCAST: _broadcast, Kind.CHAT: _chat, Kind.LOCATION: _location})
)
