"""What of the roles' metrics the operators' stream tells, and what of that is kept for hours. Pure."""

from collections.abc import Mapping, Sequence
from math import isnan
from types import MappingProxyType
from typing import Any, Final

import msgspec

from kernel.clock import to_rfc3339
from kernel.log.positions import OVERVIEW
from schemas.codec import Codec

EVERY_MS: Final = 15_000
LOOK_KEY: Final = b"looks"
#: What a record of the past says it is of: no stream that anybody can watch.
_PAST: Final = "ops:past"
LAG: Final = "touchline_consumer_lag"
#: What is told, and by which labels; without any it is summed over all that it has.
SHOWN: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "touchline_ingested_total": (),
        "touchline_accepted_total": (),
        "touchline_delivered_total": (),
        "touchline_indexed_total": (),
        "touchline_rejected_total": (),
        "touchline_viewers": (),
        "touchline_slow_viewers": (),
        LAG: ("topic", "partition"),
        "touchline_index_watermark": ("topic",),
        "touchline_edge_latency_seconds_bucket": ("le",),
        "touchline_closed_total": ("code",),
        "touchline_given_up_total": (),
        "touchline_outbox_waiting": ("receiver",),
        "touchline_outbox_lag_seconds": ("receiver",),
    }
)
#: Of partitions and of receivers those that are furthest behind; there may be any number of them.
_MOST: Final = 24
#: Of all that the operators' stream tells: what the charts are made of.
_KEPT: Final = frozenset(
    {
        "touchline_ingested_total",
        "touchline_accepted_total",
        "touchline_delivered_total",
        "touchline_indexed_total",
        "touchline_rejected_total",
        "touchline_viewers",
        LAG,
        "touchline_edge_latency_seconds_bucket",
    }
)


def summed(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metric -> its sum, or its sums by label."""
    told: dict[str, Any] = {}
    for sample in metrics:
        name, value = sample["name"], sample["value"]
        if name not in SHOWN or value is None or isnan(value):
            continue
        number = int(value) if float(value).is_integer() else value
        if not (labels := SHOWN[name]):
            told[name] = told.get(name, 0) + number
        else:
            by, own = told.setdefault(name, {}), "/".join(sample["labels"].get(label, "") for label in labels)
            by[own] = by.get(own, 0) + number
    if LAG in told:
        told[LAG] = _furthest(told[LAG])
    for name in ("touchline_outbox_waiting", "touchline_outbox_lag_seconds"):
        if name in told:
            told[name] = dict(sorted(told[name].items(), key=lambda one: -one[1])[:_MOST])
    return told


def _furthest(lag: Mapping[str, int]) -> dict[str, int]:
    """The partitions that are furthest behind, and under an empty one what all others of a topic come to."""
    behind = sorted((place for place, records in lag.items() if records), key=lambda place: -lag[place])
    return _rest(lag, {place: lag[place] for place in behind[:_MOST]})


def _rest(lag: Mapping[str, int], told: dict[str, int]) -> dict[str, int]:
    for place in sorted(lag.keys() - told.keys()):
        rest = f"{place.rpartition('/')[0]}/"
        told[rest] = told.get(rest, 0) + lag[place]
    return told


def as_event(seq: int, now_ms: int, latest: Mapping[str, Any]) -> bytes:
    """What `GET /v1/ops` answers, as a small event of the operators' stream."""
    roles = [
        {**{key: role[key] for key in ("name", "url", "state", "problems")}, "sums": summed(role["metrics"])}
        for role in latest["roles"]
    ]
    event = {
        "stream": OVERVIEW,
        "seq": seq,
        "id": str(seq),
        "type": "figures",
        "server_ts": to_rfc3339(now_ms),
        "data": {**latest, "roles": roles},
    }
    return msgspec.json.encode(event)


def look_of(codec: Codec, seq: int, now_ms: int, latest: Mapping[str, Any]) -> bytes:
    """The same as a record of the past: less of it, and of each topic the sum of its lag."""
    roles = []
    for role in latest["roles"]:
        sums = {name: told for name, told in summed(role["metrics"]).items() if name in _KEPT}
        if LAG in sums:
            sums[LAG] = _rest(sums[LAG], {})
        roles.append({"name": role["name"], "state": role["state"], "sums": sums})
    body = msgspec.json.encode({"roles": roles})
    return codec.encode({"stream": _PAST, "seq": seq, "server_ts": now_ms, "type": "look", "body": body})
