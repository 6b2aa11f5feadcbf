"""Attackers who are Kafka clients: records on every topic that are not what its readers expect."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from chaos.siege.attackers.attack import Attacker, Put
from control.channels.channel import ChannelRecord, ChannelVersion, to_avro
from control.channels.channel import Settings as ChannelSettings
from kernel.log.topics import MAX_RECORD_BYTES, topics
from kernel.settings.reading import Settings
from schemas.codec import Codec

#: Keys as readers expect them, where they are no channel.
_KEYS: Final[Mapping[str, bytes]] = {
    "fanout.live": b"foe-log#1#0",
    "fanout.location": b"foe-log#1#0",
    "ops": b"$ops#1#0",
    "presence": b"edge-foe",
    "cursors": b'["foe","phone","chat:foe-log"]',
}
_PREFIX: Final = Settings().topics.prefix
#: Topic, without its prefix -> the schema of its values, and a key: all topics that there are.
TOPICS: Final[Mapping[str, tuple[str, bytes]]] = {
    (name := topic.name.removeprefix(f"{_PREFIX}.")): (topic.value, _KEYS.get(name, b"foe-log"))
    for topic in topics(Settings())
}


def command(name: str, arguments: str) -> bytes:
    """A command, as it lies on touchline.changes."""
    return Codec("control").encode({"command": name, "actor": None, "arguments": arguments})


def junk(topic: str) -> list[tuple[bytes | None, bytes | None]]:
    """(key, value): none of them is a record of this topic."""
    schema, key = TOPICS[topic]
    known = Codec(schema)
    other = Codec("cursor" if schema != "cursor" else "presence")
    filled: dict[str, Any] = {"user": "a", "device": "b", "edge": "e", "cell": "", "at": 0, "streams": []}
    values: list[bytes | None] = [
        None,
        b"",
        b"junk",
        b"\0",
        b"\0\xff\xff\xff\xff",
        other.encode({**filled, "acked": {}}),
        b"\0" + known.schema_id.to_bytes(4),
        b"\0" + known.schema_id.to_bytes(4) + b"\xff" * 64,
        b"\0" + known.schema_id.to_bytes(4) + b"\x02" * 200,
        b"x" * (MAX_RECORD_BYTES - 4096),
        b"[" * 100_000,
        b'{"op":' * 5000,
    ]
    keys = (None, b"", b"\xff\xfe", b"no channel", b"$epochs", b"a#b#c#d", b"#" * 300)
    return [(key, value) for value in values] + [(wrong, b"junk") for wrong in keys]


def hostile_channels() -> list[Put]:
    """Registry records that are Avro of the right schema, and say what no worker would."""
    records = [
        ChannelRecord(channel="foe-log", versions=tuple(ChannelVersion(n, 100, 0) for n in range(1, 500))),
        ChannelRecord(channel="foe-log", versions=(ChannelVersion(-5, -3, -1),), revision=2**31 - 1),
        ChannelRecord(channel="foe-log", versions=(ChannelVersion(1, 2**31 - 1, 0),)),
        ChannelRecord(channel="foe-log", lanes=2**31 - 1),
        ChannelRecord(channel="foe-log", settings=ChannelSettings(rate_per_s=0.0, rate_binds_producers=True)),
        ChannelRecord(
            channel="foe-log", settings=ChannelSettings(rate_per_s=float("nan"), slow_s=float("-inf"))
        ),
        ChannelRecord(channel="foe-log", settings=ChannelSettings(blocked=("x" * 100_000, "", "\0"))),
        ChannelRecord(channel="foe-log", commands={"0": 2**62, "nonsense": -1}),
    ]
    encode = Codec("channel").encode
    return [Put(topic="channels", key=b"foe-log", value=encode(to_avro(record))) for record in records] + [
        Put(topic="channels", key=b"foe-log", value=None)
    ]


def hostile_commands(channel: str) -> list[Put]:
    """Commands whose arguments are deep, of another type, or beyond what a record holds."""
    tried = [
        ("set_channel", json.dumps({"max_text": 3_000_000_000})),
        ("set_channel", '{"members":' + "[" * 1500 + "]" * 1500 + "}"),
        ("add_members", '{"members":' + "[" * 100_000),
        ("set_lanes", '{"lanes":1e400}'),
        ("reshard", '{"shards":' + "9" * 6000 + "}"),
        ("no_such_command", "{}"),
        ("revoke", '{"before":"nan"}'),
    ]
    return [Put(topic="control", key=channel.encode(), value=command(*one)) for one in tried]


def _junk_on(topic: str) -> Attacker:
    return Attacker(
        name=f"junk-{topic.replace('.', '-')}",
        way="log",
        case=9,
        rest_s=1.0,
        steps=lambda _: [Put(topic=topic, key=key, value=value) for key, value in junk(topic)],
    )


LOG: Final[Sequence[Attacker]] = (
    *(_junk_on(topic) for topic in TOPICS),
    Attacker(name="registry", way="log", case=9, rest_s=1.0, steps=lambda _: hostile_channels()),
    Attacker(name="commands", way="log", case=1, rest_s=1.0, steps=hostile_commands),
)
