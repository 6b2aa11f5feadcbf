"""Who changes channels' settings while things break, and what everybody makes of it: a recount of the log of
commands, the records that the workers wrote, the gateway's view, and whom each edge lets in."""

import asyncio
import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout
from confluent_kafka import Consumer, KafkaError, TopicPartition

from chaos.invariants import Reported
from control.channels.channel import ChannelRecord, from_avro
from control.channels.channel import Settings as ChannelSettings
from control.channels.commands import carry_out
from kernel.errors import TouchlineError
from kernel.log.kafka import client_config
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for

_TRY_S: Final = 10.0
_AGAIN_S: Final = 0.25
#: Between two changes of a channel.
_EVERY_S: Final = 1.5
READERS: Final = ("ana", "ben", "cem")
_CHANGED: Final = ("max_text", "slow_s", "blocked", "members", "readers")


def kept(number: int) -> list[str]:
    """The channels whose settings change: nobody posts there, so that nobody else writes their records."""
    return [f"kept-{one}" for one in range(number)]


class Setter:
    """Changes one setting after the other, the same one again until the gateway says that Kafka has it."""

    name = "who sets channels"

    def __init__(self, gateway: str, number: int, chance: random.Random) -> None:
        self._gateway, self._channels, self._chance = gateway, kept(number), chance
        #: Changes that the gateway has confirmed, of each channel.
        self.confirmed: dict[str, int] = dict.fromkeys(self._channels, 0)

    async def run(self, until: asyncio.Event) -> None:
        """Until told to end; each channel has one last change then, when all faults are over: what comes of
        it shows the whole state that its worker knew."""
        async with (
            ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http,
            asyncio.TaskGroup() as group,
        ):
            for channel in self._channels:
                group.create_task(self._change(http, channel, until))

    async def _change(self, http: ClientSession, channel: str, until: asyncio.Event) -> None:
        over = False
        while not over:
            over = until.is_set()
            given = _one(self._chance)
            while not await self._taken(http, channel, given):  # noqa: ASYNC110 - it asks, each time anew
                await asyncio.sleep(_AGAIN_S)
            self.confirmed[channel] += 1
            if not over:
                await asyncio.sleep(self._chance.uniform(0, 2 * _EVERY_S))

    async def _taken(self, http: ClientSession, channel: str, given: Mapping[str, Any]) -> bool:
        """Whether Kafka has it; False: nobody knows, and it may count twice. Raises where it is refused."""
        try:
            async with http.put(f"{self._gateway}/v1/channels/{channel}", json=given) as response:
                if response.status < 300:
                    return True
                said, status = await response.text(), response.status
        except (ClientError, OSError, TimeoutError):
            return False
        if status >= 500:
            return False
        raise TouchlineError("bad_request", f"Setting {channel} was answered with {status}: {said}")


def _one(chance: random.Random) -> Mapping[str, Any]:
    """A change of one setting: of what was set before it, each command that was lost shows."""
    some = [name for name in READERS if chance.random() < 0.4]
    return chance.choice(
        [
            {"max_text": chance.randrange(100, 4000)},
            {"slow_s": chance.randrange(1, 600)},
            {"blocked": [f"word{chance.randrange(1000)}"]},
            {"members": [f"user{chance.randrange(1000)}"]},
            {"readers": some},
            {"readers": some},
        ]
    )


# ── what the log says ────────────────────────────────────────────────────────────────────────────────────


class _Command(NamedTuple):
    at_ms: int
    key: str
    value: bytes


class Recount(NamedTuple):
    """The channels by the log of commands alone, folded from its beginning."""

    channels: Mapping[str, Reported]
    #: How many commands there are of each.
    commands: Mapping[str, int]


def recount(settings: Settings) -> Recount:
    """Read the log of commands whole, and fold it."""
    names, codec = topic_names(settings), codec_for(settings, "control")
    given: list[_Command] = []
    # A version before this one took commands from the other topic. One channel's are one after the other.
    for topic in (names.control, names.changes):
        given += [
            _Command(m.timestamp()[1], (m.key() or b"").decode(), m.value())
            for m in read_whole(settings, topic)
            if m.value() is not None
        ]
    found: dict[str, ChannelRecord] = {}
    commands = Counter[str]()
    for at_ms, key, value in sorted(given, key=lambda command: command.at_ms):
        if key.startswith("kept-"):
            before = found.get(key, ChannelRecord(channel=key))
            found[key] = carry_out(before, codec.decode(value), at_ms, about=key)
            commands[key] += 1
    return Recount({key: _told(record) for key, record in found.items()}, commands)


def written(settings: Settings) -> dict[str, Reported]:
    """The same as the workers wrote it: of a channel's records the one with the highest revision holds."""
    codec = codec_for(settings, "channel")
    best: dict[str, ChannelRecord] = {}
    for message in read_whole(settings, topic_names(settings).channels):
        key = (message.key() or b"").decode()
        if key.startswith("kept-") and message.value() is not None:
            record = from_avro(codec.decode(message.value()))
            if key not in best or record.revision >= best[key].revision:
                best[key] = record
    return {key: _told(record) for key, record in best.items()}


def read_whole(settings: Settings, topic: str) -> list[Any]:
    """All records that a topic has now, partition by partition."""
    consumer = Consumer(
        client_config(settings, group_id="chaos-audit", enable_auto_commit=False, enable_partition_eof=True)
    )
    try:
        partitions = consumer.list_topics(topic, timeout=20).topics[topic].partitions
        if not partitions:  # it is not there: nobody has written to it
            return []
        consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
        found: list[Any] = []
        open_ = set(partitions)
        while open_:
            for message in consumer.consume(5000, 1.0):
                if (error := message.error()) is None:
                    found.append(message)
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_.discard(message.partition())
        return found
    finally:
        consumer.close()


def _told(record: ChannelRecord) -> Reported:
    return Reported(record.revision, {name: getattr(record.settings, name) for name in _CHANGED})


# ── what roles say ───────────────────────────────────────────────────────────────────────────────────────


async def shown(gateway: str, channels: Iterable[str]) -> dict[str, Reported]:
    """What the gateway says of channels; it names no revision."""
    found = {}
    async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
        for channel in channels:
            async with http.get(f"{gateway}/v1/channels/{channel}") as response:
                if response.status != 200:
                    raise TouchlineError("unavailable", f"{channel}: {response.status}")
                said = msgspec.convert((await response.json())["settings"], ChannelSettings)
            found[channel] = Reported(None, {name: getattr(said, name) for name in _CHANGED})
    return found


async def let_in(edges: Mapping[str, str], channels: Iterable[str]) -> dict[str, dict[str, list[str]]]:
    """Edge -> channel -> who of those who may be readers may watch it there: each asks at the door."""
    found: dict[str, dict[str, list[str]]] = {}
    async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
        for edge, url in edges.items():
            at_edge = found[edge] = {}
            for channel in channels:
                at_edge[channel] = [name for name in READERS if await _let_in(http, url, channel, name)]
    return found


async def _let_in(http: ClientSession, edge: str, channel: str, name: str) -> bool:
    asked = {"stream": f"chat:{channel}", "user": name, "wait": "0.05"}
    async with http.get(f"{edge}/v1/poll", params=asked) as response:
        body = await response.json(content_type=None)
        if response.status != 200:
            raise TouchlineError("unavailable", f"{edge} answered {response.status}: {body}")
    codes = [said.get("code") for said in body.get("messages", ())]
    if "unavailable" in codes:
        raise TouchlineError("unavailable", f"{edge} does not serve {channel} yet")
    return "forbidden" not in codes
