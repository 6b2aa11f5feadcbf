"""What the compacted topics say, told to those parts of an edge that it concerns."""

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from consumers.cluster.presence import Presence
from consumers.cluster.registry import Registry
from consumers.protocol.messages import Rejected
from consumers.service.service import Service
from control.revocations import PREFIX
from control.tables import Tables
from kernel.kafka import client_config
from kernel.settings import Settings
from kernel.topics import topic_names
from schemas.codec import Undecodable
from schemas.registry import codec_for


class ControlTopics:
    """Channels' settings, the other edges' heartbeats, commands, and refused events."""

    def __init__(self, settings: Settings, service: Service, registry: Registry, presence: Presence) -> None:
        self._settings, self._names = settings, topic_names(settings)
        self._service, self._registry, self._presence = service, registry, presence
        self._rejection, self._control = codec_for(settings, "rejection"), codec_for(settings, "control")

    def follow(self, on_read: Callable[[], None], loop: asyncio.AbstractEventLoop) -> Tables:
        """Read them in a thread; `on_read` says that what was there has been learnt."""
        names, edge = self._names, self._presence.edge
        tables = Tables(
            client_config(
                self._settings,
                group_id=f"touchline-edge-tables-{edge}".replace(":", "-"),
                enable_auto_commit=False,
            ),
            whole=[names.channels, names.presence, names.control, names.alerts],
            tails=[names.rejected],
            learn=self.learn,
            on_read=on_read,
            loop=loop,
        )
        tables.start()
        return tables

    def learn(self, topic: str, key: str, value: bytes | None) -> None:
        """A record came; None takes its key out of the table."""
        names, subscriptions = self._names, self._service.subscriptions
        if topic == names.presence:
            self._presence.learn(key, value)
        elif topic == names.channels:
            self._registry.learn_record(key, value)
            subscriptions.widen(key)
            subscriptions.recheck(key)
        elif topic == names.control:
            self._handle_command(key, value)
        elif topic == names.alerts:
            self._handle_alert(key, value)
        elif value is not None:
            self._handle_rejection(value)

    def _handle_command(self, key: str, value: bytes | None) -> None:
        if value is None or not key.startswith(PREFIX):
            return
        admission = self._service.admission
        with contextlib.suppress(Undecodable):
            arguments = self._control.decode(value)["arguments"]
            user = admission.tokens.revocations.learn(key, arguments)
            if user is not None:
                admission.revoke(user)

    def _handle_alert(self, alert_id: str, value: bytes | None) -> None:
        with contextlib.suppress(Undecodable, msgspec.DecodeError):
            saved = None if value is None else self._control.decode(value)["arguments"]
            self._service.subscriptions.recheck(self._registry.readers.learn_alert(alert_id, saved))

    def _handle_rejection(self, value: bytes) -> None:
        try:
            record = self._rejection.decode(value)
            kind = next((k for k, name in self._names.ingest.items() if name == record["topic"]), None)
            if kind is None or not (record["sender"] and record["key"] and record["record_key"]):
                return
            stream = f"{kind}:{record['record_key'].decode()}"
        except (Undecodable, UnicodeDecodeError):
            return
        message = Rejected(stream=stream, key=record["key"], code=record["reason"], message=record["message"])
        self._service.publishing.rejected(record["sender"], message)
