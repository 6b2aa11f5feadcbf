"""What the compacted topics say now: channels and their settings, viewers on the edges, revoked tokens."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from control.acl import ChannelAcl
from control.channels import EPOCHS_KEY
from control.numbering import Numbering
from control.retention import Retention
from control.revocations import Revocations
from control.tables import Tables
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.kafka import client_config
from kernel.logs import get_logger
from kernel.positions import Stream
from kernel.settings import Settings
from kernel.tokens import Grants
from kernel.topics import topic_names
from schemas.codec import Undecodable
from schemas.registry import codec_for

_log = get_logger("touchline.control")
#: An edge that has said nothing for so long is gone. Counted from when it was heard, by the hearer's own
#: monotonic clock: the wall clocks of two machines may be hours apart.
GONE_S: Final = 7.0


class ControlState:
    """Reads these topics from their beginning, and follows them, while it is entered."""

    def __init__(self, settings: Settings, clock: Clock, on_read: Callable[[], None]) -> None:
        self._settings, self._clock, self._on_read = settings, clock, on_read
        self._names = topic_names(settings)
        self._codecs = {
            self._names.channels: codec_for(settings, "channel"),
            self._names.presence: codec_for(settings, "presence"),
        }
        self._said: dict[str, dict[str, dict[str, Any]]] = {topic: {} for topic in self._codecs}
        #: Edge -> when its last heartbeat came.
        self._heard: dict[str, float] = {}
        self._control = codec_for(settings, "control")
        self._readers = ChannelAcl()
        #: From where a record lies to its event's place.
        self.numbering = Numbering(self._names)
        #: For how long each channel's events are kept: history keeps to it.
        self.retention = Retention(settings.indexer)
        self._read = False
        self._tables: Tables | None = None
        self._revocations = Revocations()

    async def __aenter__(self) -> "ControlState":
        group = f"{self._settings.topics.prefix}-gateway-control_state"
        self._tables = Tables(
            client_config(
                self._settings, group_id=group, enable_auto_commit=False, allow_auto_create_topics=False
            ),
            whole=[self._names.channels, self._names.presence, self._names.control, self._names.alerts],
            tails=[],
            learn=self._learn,
            on_read=self._all_read,
            loop=asyncio.get_running_loop(),
        )
        self._tables.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._tables is not None:
            self._tables.stop()
            await asyncio.to_thread(self._tables.join)

    def channel(self, name: str) -> dict[str, Any] | None:
        """A channel's record; None if nobody has changed anything about it."""
        return self._said[self._names.channels].get(name)

    def channels(self) -> Mapping[str, Mapping[str, Any]]:
        """The records of all channels about which somebody has changed something."""
        return self._said[self._names.channels]

    def lanes(self, channel: str) -> int:
        """Over how many lanes a channel is spread; 0: it is not."""
        record = self.channel(channel)
        return 0 if record is None else int(record["lanes"])

    def beats(self) -> list[Mapping[str, Any]]:
        """What each edge that still speaks said last."""
        oldest = self._clock.monotonic() - GONE_S
        beats = self._said[self._names.presence].items()
        return [beat for edge, beat in beats if self._heard[edge] >= oldest]

    def viewers(self, stream: Stream) -> int:
        """How many watch a stream, on all edges that still speak."""
        audiences = (audience for beat in self.beats() for audience in beat["streams"])
        return sum(audience["viewers"] for audience in audiences if audience["stream"] == str(stream))

    def may_read(self, grants: Grants, channel: str) -> bool:
        """Whether the channel's settings let this user read. Raises `unavailable` before they are known."""
        self._must_be_read()
        return self._readers.allow(grants, channel)

    def hidden_from(self, grants: Grants) -> tuple[list[str], list[str] | None]:
        """The channels that this user may not read, whatever his token says; and of those whose names close
        them the ones that are open to him all the same (None: all). Raises `unavailable`."""
        self._must_be_read()
        return self._readers.hidden_from(grants), self._readers.open_to(grants)

    def revokes(self, grants: Grants) -> bool:
        """Whether the token of these grants was revoked. Raises `unavailable` before that is known."""
        self._must_be_read()
        return self._revocations.covers(grants)

    def _must_be_read(self) -> None:
        if not self._read:
            raise TouchlineError(
                "unavailable",
                "The channels' settings have not been read from Kafka yet: try again in a moment.",
            )

    def _all_read(self) -> None:
        self._read = True
        self._on_read()

    def _learn(self, topic: str, key: str, value: bytes | None) -> None:
        if topic == self._names.presence and key.startswith("$"):
            return  # the workers' sums: no edge
        if topic == self._names.control:
            if value is not None:
                with contextlib.suppress(Undecodable):
                    self._revocations.learn(key, self._control.decode(value)["arguments"])
            return
        if topic == self._names.alerts:
            with contextlib.suppress(Undecodable, msgspec.DecodeError):
                saved = None if value is None else self._control.decode(value)["arguments"]
                self._readers.learn_alert(key, saved)
            return
        if value is None:
            self._said[topic].pop(key, None)
            if topic == self._names.channels:
                self._readers.learn(key, ())
                self.retention.learn(key, None)
            return
        try:
            said = self._said[topic][key] = self._codecs[topic].decode(value)
        except Undecodable as error:
            _log.warning("a record is not readable", topic=topic, key=key, why=str(error))
            return
        if topic == self._names.channels and key == EPOCHS_KEY:
            self.numbering.learn(said)
        elif topic == self._names.channels:
            self._readers.learn(key, said["settings"]["readers"])
            self.retention.learn(key, said["settings"]["retention"])
        else:
            self._heard[key] = self._clock.monotonic()
