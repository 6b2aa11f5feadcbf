"""Events of the log as items on their way out; of channels that nobody waits for not even decoded."""

from collections.abc import Mapping
from typing import Any, Final

from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from kernel.log.records import Partition, Record
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from outbox.outlets.outlet import Item
from schemas.registry import codec_for
from schemas.rendering import render


class Events:
    """Reads records of the topics of events."""

    def __init__(self, settings: Settings) -> None:
        names = topic_names(settings).events
        self.topics: Final = [names[kind] for kind in Kind]
        self._kinds: Mapping[str, Kind] = {names[kind]: kind for kind in Kind}
        self._codecs = {kind: codec_for(settings, f"event-{kind}") for kind in Kind}

    def kind(self, topic: str) -> Kind:
        """What events of a topic are about."""
        return self._kinds[topic]

    def decoded(self, kind: Kind, record: Record) -> dict[str, Any] | None:
        """An event's fields; None for what no worker has written, which the indexer reports."""
        try:
            return self._codecs[kind].decode(record.value or b"")
        except TouchlineError:
            return None

    def item(self, place: Partition, record: Record, event: Mapping[str, Any]) -> Item | None:
        """The event on its way out."""
        kind = self._kinds[place.topic]
        try:
            body = render(kind, event)
        except (ValueError, OverflowError, OSError, TypeError, RecursionError):
            return None
        channel = event["channel"]
        return Item(
            *(place, record.offset, channel, f"{kind}:{channel}", event["id"], event["type"]),
            *(event["server_ts"], body),
        )
