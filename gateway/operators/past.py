"""The roles' figures of the last hours: looks, four a minute, on a topic and in each gateway's memory.

The gateway that feeds the operators' stream writes them; every gateway reads them, from the topic's
beginning, and answers. A restart loses nothing, and what nobody wrote is a gap. docs/decisions/0125.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from control.topic_tables.follower import TableThread
from control.topic_tables.table import Row, TopicTable
from gateway.context import Context
from gateway.http.operations import Operation, Parameter, Reply, number_of
from gateway.operators.published_metrics import EVERY_MS, LAG
from kernel.log.topics import topic_names
from kernel.process.health import Health
from schemas.codec import Codec

_HOUR_MS: Final = 3_600_000
#: A day of five roles takes 6 MB; of very many roles the eldest looks go sooner.
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_POINTS: Final = 500


class _Role(msgspec.Struct, frozen=True):
    sums: dict[str, Any]


class _Roles(msgspec.Struct, frozen=True):
    roles: msgspec.Raw


class Look(NamedTuple):
    """What all roles said at one moment, as JSON; and how many records waited for one of them."""

    at_ms: int
    lag: int
    text: bytes


class Past:
    """The looks of the last hours, bounded by their age and by their bytes."""

    def __init__(self, hours: float, most_bytes: int = _MOST_BYTES) -> None:
        self._kept_ms, self._most_bytes = round(hours * _HOUR_MS), most_bytes
        self._looks: deque[Look] = deque()
        self._bytes = 0

    def learn(self, row: Row) -> None:
        """Take a record in. Its time is the brokers': gateways' clocks may differ."""
        if row.value is None:
            return
        raw = msgspec.json.decode(row.value["body"], type=_Roles).roles
        roles = msgspec.json.decode(raw, type=list[_Role])
        lag = sum(sum(role.sums.get(LAG, {}).values()) for role in roles)
        text = b'{"at_ms":%d,"roles":%b,"channels":[]}' % (row.append_ms, bytes(raw))
        self._looks.append(Look(row.append_ms, lag, text))
        self._bytes += len(text)
        self.forget(row.append_ms)

    def forget(self, now_ms: int) -> None:
        """What is too old, or too much, goes."""
        looks = self._looks
        while looks and (looks[0].at_ms < now_ms - self._kept_ms or self._bytes > self._most_bytes):
            self._bytes -= len(looks.popleft().text)

    @property
    def since_ms(self) -> int | None:
        return self._looks[0].at_ms if self._looks else None

    def between(self, since_ms: int, until_ms: int, points: int) -> Sequence[Look]:
        """At most so many looks. Of those that lie close together the one at which most records waited:
        counters grow alike whichever is taken, and a peak of lag is not lost."""
        span = max(1, -(-(until_ms - since_ms) // points))
        chosen: dict[int, Look] = {}
        for look in self._looks:
            if since_ms <= look.at_ms < until_ms:
                slot = (look.at_ms - since_ms) // span
                if slot not in chosen or look.lag >= chosen[slot].lag:
                    chosen[slot] = look
        return list(chosen.values())


async def routes(context: Context) -> Sequence[Operation]:
    """`GET /v1/ops/past`."""
    settings, clock = context.settings, context.clock
    told_ms = round(settings.gateway.ops_every_s * 1000)
    # Who tells nobody what the roles say keeps nothing of it either.
    hours, every_ms = settings.ops.past_hours if told_ms else 0, max(EVERY_MS, told_ms)
    past = Past(hours)
    if hours > 0:
        codec = Codec("fanout", context.catalog)
        table = TopicTable(topic_names(settings).ops_past, codec, past.learn)
        # A health of its own: a gateway that cannot read them serves everything else.
        following = TableThread(
            *(settings, clock, [table]), name="gateway-past", health=Health("past"), condition="past"
        )
        await context.stack.enter_async_context(following)

    async def show(request: web.Request) -> web.Response:
        await context.access.require(request, "admin", "*")
        wanted = number_of(request, "minutes", default=60, most=7 * 24 * 60)
        points = number_of(request, "points", default=240, most=_MOST_POINTS)
        until_ms = clock.now_ms() + EVERY_MS  # the brokers' clock may be ahead
        past.forget(until_ms)
        looks = past.between(until_ms - EVERY_MS - wanted * 60_000, until_ms, points)
        told = msgspec.json.encode({"every_ms": every_ms, "kept_hours": hours, "since_ms": past.since_ms})
        body = b'%b,"looks":[%b]}' % (told[:-1], b",".join(look.text for look in looks))
        answer = web.Response(body=body, content_type="application/json")
        answer.enable_compression()
        return answer

    return [
        Operation(
            method="GET",
            path="/v1/ops/past",
            handler=show,
            name="getOpsPast",
            summary="The roles' figures of the last hours, for operators.",
            tag="operations",
            parameters=(
                Parameter("minutes", "query", "How far back.", _whole(7 * 24 * 60, 60)),
                Parameter("points", "query", "How many looks at most.", _whole(_MOST_POINTS, 240)),
            ),
            replies={200: Reply("Looks, oldest first; `since_ms` is the eldest that is kept.", _SCHEMA)},
            errors=("bad_request", "unauthorized", "forbidden"),
        )
    ]


def _whole(most: int, default: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


_SCHEMA: Final = {
    "type": "object",
    "required": ["every_ms", "kept_hours", "since_ms", "looks"],
    "properties": {
        "every_ms": {"type": "integer"},
        "kept_hours": {"type": "number", "description": "0: none are kept"},
        "since_ms": {"type": ["integer", "null"]},
        "looks": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at_ms", "roles", "channels"],
                "properties": {
                    "at_ms": {"type": "integer"},
                    "roles": {"type": "array", "items": {"type": "object"}},
                    "channels": {"type": "array", "maxItems": 0},
                },
            },
        },
    },
}
