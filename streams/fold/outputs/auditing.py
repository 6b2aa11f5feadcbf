"""What moderators do, as events of a stream that only they read: `broadcast:touchline-audit-<channel>`. Pure.

An event for each order that is carried out, and for each retraction or pin that a door has let somebody post
who may change everybody's messages (it says so in a header). Its key is the input's own place: read again
after a crash, it is a repeat.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from control.channels.bounds import check_settings
from control.moderation.orders import MODERATE, read_order
from control.moderation.reports import REPORT, SETTLE, read_about, read_settle
from kernel.access.signing import Signer
from kernel.access.users import audit_channel
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, partition_of, split_lane
from kernel.log.records import Headers, Record, Write
from schemas.checks import OF_OFFICE
from streams.fold.checks.guards import of_office

#: The type of its events.
TYPE: Final = "moderation"
#: Settings of which it is told.
_SETTINGS: Final = ("slow_s", "blocked", "members_only", "max_text", "publishers", "readers")


class Auditing:
    """Writes what was done to the ingest topic of broadcasts."""

    def __init__(self, topic: str, partitions: Callable[[], int], signer: Signer) -> None:
        self._topic, self._partitions, self._signer = topic, partitions, signer

    def change(self, event: Mapping[str, Any], headers: Headers | None) -> list[Write]:
        """Of an accepted change; nothing where it is the author's."""
        if event["type"] not in OF_OFFICE or not of_office(headers):
            return []
        what = {"do": event["type"], "target": event["data"]["target"], "by": event["sender"]}
        return self._write(split_lane(event["channel"])[0], event["id"], what)

    def orders(
        self, records: Iterable[Record], decode: Callable[[bytes], Any], place: Callable[[Record], str]
    ) -> list[Write]:
        """Of inputs on touchline.changes."""
        writes: list[Write] = []
        for record in records:
            with suppress(TouchlineError):  # refused, and told by the refusal
                channel, command = (record.key or b"").decode("utf-8", "replace"), decode(record.value or b"")
                for what in _told(channel, command):
                    writes += self._write(channel, place(record), {**what, "by": command.get("actor")})
        return writes

    def _write(self, channel: str, key: str, what: Mapping[str, Any]) -> list[Write]:
        name, partitions = audit_channel(channel), self._partitions()
        if name is None or not partitions or not self._signer.able:
            return []
        value = msgspec.json.encode(
            {"type": TYPE, "key": key, "sender": "touchline", "data": {"channel": channel, **what}}
        )
        headers = self._signer.headers(Kind.BROADCAST, name, value)
        return [Write(self._topic, value, name.encode(), partition_of(name, partitions), headers=headers)]


def _told(channel: str, command: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What is said of a command; nothing of most. Raises TouchlineError where it is refused."""
    arguments = command["arguments"]
    match command["command"]:
        case name if name == MODERATE:
            order = read_order(channel, arguments)
            yield {"do": order.do, "user": order.user, **({"for_ms": order.for_ms} if order.for_ms else {})}
        case name if name == REPORT:
            about = read_about(channel, arguments)
            yield {"do": "report", "target": about.target}
        case name if name == SETTLE:
            settle = read_settle(channel, arguments)
            yield {"do": "settle" if settle.done else "reopen", "reports": len(settle.reports)}
        case "set_channel":
            given = msgspec.json.decode(arguments, type=dict[str, Any])
            check_settings(given)
            changed = {name: given[name] for name in _SETTINGS if name in given}
            if changed:
                yield {"do": "set", "settings": {name: _shortly(value) for name, value in changed.items()}}


def _shortly(value: Any) -> Any:
    """Of a list how long it is."""
    return len(value) if isinstance(value, list) else value
