"""Which wires a link of the schedule is, and how a wire behaves when several faults have it in their hands.

A wire is a port of the proxies: `edge-1>kafka-2` is that edge's way to that broker, `*>edge-1` everybody's to
the edge.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

BROKERS: Final = ("kafka-1", "kafka-2", "kafka-3")
CONTROLLERS: Final = tuple(broker.replace("kafka", "controller") for broker in BROKERS)
EDGES: Final = ("edge-1", "edge-2", "edge-3", "edge-own")
ROLES: Final = ("stream-1", "stream-2", *EDGES, "index", "outbox", "gateway")
#: Who reads what is indexed, or writes it.
SEARCHERS: Final = (*EDGES, "index", "outbox", "gateway")

#: Everybody's way to one process.
TO: Final = tuple(f"to:{name}" for name in (*EDGES, "gateway", *BROKERS, *CONTROLLERS, "elasticsearch"))
#: A role's way to all of Kafka, to one broker, and to Elasticsearch.
TO_KAFKA: Final = tuple(f"{role}>kafka" for role in ROLES)
TO_BROKER: Final = tuple(f"{role}>{broker}" for role in ROLES for broker in BROKERS)
TO_ELASTICSEARCH: Final = tuple(f"{role}>elasticsearch" for role in SEARCHERS)
LINKS: Final = (*TO, *TO_KAFKA, *TO_BROKER, *TO_ELASTICSEARCH)

#: Brokers have a way for each role, and one for all others: their followers, producers, recorders.
WIRES: Final = (
    *(f"*>{name}" for name in (*EDGES, "gateway", *BROKERS, *CONTROLLERS)),
    *TO_BROKER,
    *TO_ELASTICSEARCH,
)
_WORST: Final = ("pass", "slow", "half_open", "cut")


class Behaviour(NamedTuple):
    """How a wire behaves: a mode of chaos.faults.proxy, and how long each piece waits."""

    mode: str = "pass"
    ms: float = 0.0


def wires(link: str) -> list[str]:
    """The wires that a link is."""
    if link.startswith("to:"):
        return [wire for wire in WIRES if wire.endswith(f">{link.removeprefix('to:')}")]
    if link.endswith(">kafka"):
        return [wire for wire in WIRES if wire.startswith(f"{link}-")]
    return [wire for wire in WIRES if wire == link]


def whose(target: str) -> str:
    """The process that a target of a fault belongs to: a broker and its controller are one."""
    return target.removeprefix("to:").replace("controller", "kafka").partition(">")[0]


def behaviour(wire: str, said: Mapping[str, Behaviour]) -> Behaviour:
    """How a wire behaves where this was said of links: the worst of what was said of those that it is in."""
    found = [behaviour for link, behaviour in said.items() if wire in wires(link)]
    return max(found, key=lambda one: (_WORST.index(one.mode), one.ms), default=Behaviour())
