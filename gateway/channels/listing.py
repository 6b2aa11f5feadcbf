"""GET /v1/channels: the channels that somebody may read: by name, by viewers, by what happened last."""

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.channels.acl import CLOSED
from control.edges.presence import Slot, by_channel
from gateway.context import Context
from gateway.http.access import Scope
from gateway.http.operations import Operation, Parameter, Reply
from history.sources.elasticsearch_client import elastic_client
from kernel.access.tokens import Grants, matches
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.positions import CHANNEL, Kind, split_lane
from search_indexer.counting.activity import Activity

_TIMEOUT_S: Final = 5.0
_LIMIT: Final = 50
_MOST: Final = 200
#: Channels of a page that are looked at: of many nobody in particular may read any.
_LOOKED_AT: Final = 2000
_A_PAGE: Final = 100
#: What is no older counts as lately.
_LATELY_MS: Final = 7 * 24 * 3_600_000
_SORTS: Final = ("name", "viewers", "activity")
_NAMES: Final = frozenset({"limit", "cursor", "prefix", "live", "sort", "token"})
_PARAMETERS: Final = (
    Parameter(
        "sort",
        "query",
        "By name, in pages; the most viewers first; or what happened last, in the last seven days.",
        {"type": "string", "enum": list(_SORTS), "default": "name"},
    ),
    Parameter("prefix", "query", "Only channels whose names begin so.", {"type": "string", "maxLength": 128}),
    Parameter("live", "query", "1: only what somebody watches now.", {"type": "string", "enum": ["0", "1"]}),
    Parameter(
        "limit",
        "query",
        "Channels at most.",
        {"type": "integer", "minimum": 1, "maximum": _MOST, "default": _LIMIT},
    ),
    Parameter("cursor", "query", "The `next` of the page before; by name only.", {"type": "string"}),
)
_LIST: Final = Reply(
    "The channels. `last` is as far as the index is; null: nothing that it still has.",
    {
        "type": "object",
        "required": ["channels", "next"],
        "properties": {
            "channels": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["channel", "viewers", "last"],
                    "properties": {
                        "channel": {"type": "string"},
                        "viewers": {"type": "integer"},
                        "last": {"type": ["string", "null"], "format": "date-time"},
                    },
                },
            },
            "next": {"type": ["string", "null"]},
        },
    },
)


class Wanted(msgspec.Struct, frozen=True):
    """What is asked for."""

    sort: str = "name"
    prefix: str = ""
    live: bool = False
    limit: int = _LIMIT
    cursor: str = ""


class Listing:
    """The lists, by what this gateway knows and what the index says."""

    def __init__(self, context: Context, activity: Activity) -> None:
        self._context, self._state, self._activity = context, context.control_state, activity

    async def show(self, request: web.Request) -> web.Response:
        """Answer a request."""
        context, wanted = self._context, read_wanted(request.query)
        scope, grants = await context.access.scope(request, "subscribe"), await context.access.grants(request)
        context.budgets.take_read(context.budgets.bound(scope.bound, admin=False), 2.0)
        slots = self._state.presence.viewers()
        ranked = wanted.sort == "viewers" or wanted.live
        viewers, order = await asyncio.to_thread(_summed, slots, ranked=ranked, by_name=wanted.sort == "name")
        following = ""
        if wanted.sort == "activity":
            last = await self._latest(scope, wanted)
            found = await asyncio.to_thread(self._readable, last, scope, grants, wanted, viewers)
        elif ranked:
            later = order[bisect_right(order, wanted.cursor) :] if wanted.sort == "name" else order
            found = await asyncio.to_thread(self._readable, later, scope, grants, wanted, viewers)
            if wanted.sort == "name" and len(found) == wanted.limit:
                following = found[-1]
            last = await self._activity.of(found)
        else:
            found, following = await asyncio.to_thread(self._by_name, scope, grants, wanted)
            last = await self._activity.of(found)
        rows = [
            {
                "channel": channel,
                "viewers": viewers.get(channel, 0),
                "last": to_rfc3339(last[channel]) if channel in last else None,
            }
            for channel in found
        ]
        return web.json_response({"channels": rows, "next": following or None})

    async def _latest(self, scope: Scope, wanted: Wanted) -> dict[str, int]:
        since = self._context.clock.now_ms() - _LATELY_MS
        count = _LOOKED_AT if wanted.prefix or wanted.live else 2 * wanted.limit
        return await self._activity.latest(scope.patterns, scope.seen, since_ms=since, count=count)

    # Both in a thread: what settings say is on disk, and a channel's may take a millisecond to read.

    def _by_name(self, scope: Scope, grants: Grants, wanted: Wanted) -> tuple[list[str], str]:
        """A page of all there are, and the name to go on behind."""
        found: list[str] = []
        # The names that begin so lie side by side: the page begins right before the first of them.
        after, looked_at = max(wanted.cursor, _before(wanted.prefix)), 0
        while looked_at < _LOOKED_AT:
            page, following = self._state.channels.names(after, _A_PAGE)
            for channel in page:
                if not channel.startswith(wanted.prefix):
                    if channel > wanted.prefix:
                        return found, ""
                    continue
                if self._may_see(channel, scope, grants):
                    found.append(channel)
                    if len(found) == wanted.limit:
                        return found, channel
            if not following:
                return found, ""
            after, looked_at = following, looked_at + _A_PAGE
        return found, after

    def _may_see(self, channel: str, scope: Scope, grants: Grants) -> bool:
        """Whether somebody may watch a channel. Those of users, rooms and alerts are listed elsewhere."""
        if channel.startswith(CLOSED) or split_lane(channel)[1] is not None:
            return False
        covered = any(matches(p, f"{kind}:{channel}") for p in scope.patterns for kind in Kind)
        return covered and (scope.user is None or self._state.may_read(grants, channel))

    def _readable(
        self,
        channels: Iterable[str],
        scope: Scope,
        grants: Grants,
        wanted: Wanted,
        viewers: Mapping[str, int],
    ) -> list[str]:
        found: list[str] = []
        for channel in channels:
            lives = not wanted.live or viewers.get(channel, 0) > 0
            if lives and channel.startswith(wanted.prefix) and self._may_see(channel, scope, grants):
                found.append(channel)
                if len(found) == wanted.limit:
                    break
        return found


async def routes(context: Context) -> Sequence[Operation]:
    """The operation of this module."""
    client = await context.stack.enter_async_context(elastic_client(context.settings, timeout_s=_TIMEOUT_S))
    return [
        Operation(
            method="GET",
            path="/v1/channels",
            handler=Listing(context, Activity(client, context.settings)).show,
            name="listChannels",
            summary="The channels that you may read.",
            tag="channels",
            parameters=_PARAMETERS,
            replies={200: _LIST},
            errors=("bad_request", "unauthorized", "rate_limited", "unavailable"),
        )
    ]


def _summed(slots: Mapping[Slot, int], *, ranked: bool, by_name: bool) -> tuple[dict[str, int], list[str]]:
    """Viewers by channel; and the channels, where they are listed by that: by name, or the most first. In a
    thread: there may be as many as viewers."""
    viewers = by_channel(slots)
    if not ranked:
        return viewers, []
    return viewers, sorted(viewers) if by_name else sorted(viewers, key=lambda name: (-viewers[name], name))


def read_wanted(query: Any) -> Wanted:
    """What is asked for. Raises `bad_request`."""
    if unknown := set(query) - _NAMES:
        raise TouchlineError(
            "bad_request", f"{min(unknown)[:40]!r} is not a parameter of the list of channels."
        )
    sort, prefix, cursor = (query.get(name, "") for name in ("sort", "prefix", "cursor"))
    if sort and sort not in _SORTS:
        raise TouchlineError("bad_request", f"sort is {sort[:40]!r}: it is {', '.join(_SORTS)}.")
    for name, value in (("prefix", prefix), ("cursor", cursor)):
        if value and not CHANNEL.fullmatch(value):
            raise TouchlineError(
                "bad_request", f"{name} is {value[:150]!r}: it is (part of) a channel's name."
            )
    if cursor and sort in {"viewers", "activity"}:
        raise TouchlineError("bad_request", "cursor goes with the list by name: the others have one page.")
    live, limit = query.get("live", "0"), query.get("limit", str(_LIMIT))
    if live not in {"0", "1"}:
        raise TouchlineError("bad_request", "live is 1 or 0.")
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 4 and 1 <= int(limit) <= _MOST):
        raise TouchlineError("bad_request", f"limit is {limit[:40]!r}: it is a number from 1 to {_MOST}.")
    return Wanted(sort or "name", prefix, live == "1", int(limit), cursor)


def _before(prefix: str) -> str:
    """The last text before all that begin so."""
    if not prefix:
        return ""
    return f"{prefix[:-1]}{chr(ord(prefix[-1]) - 1)}\x7f" if prefix[-1] > "\0" else prefix[:-1]
