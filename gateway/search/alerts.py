"""/v1/alerts: saved queries whose matches arrive on a stream, by those who may publish to that stream."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.context import Context
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Parameter, Reply
from kernel.errors import TouchlineError
from kernel.positions import Kind
from kernel.tokens import matches
from search_indexer.alert_index import Rest
from search_indexer.alerts import (
    MAX_ALERTS,
    MAX_PATTERN,
    Alert,
    AlertLog,
    alert_stream,
    check_id,
    read_alert,
    ready,
    rest_shown,
    save,
    shown,
)
from search_indexer.query.parser import MAX_LENGTH
from search_indexer.searching.request import MAX_VALUES
from search_indexer.searching.scope import EVERYTHING
from search_indexer.text.folding import Folding

_MAX_BYTES: Final = 64 * 1024
#: Reading all alerts takes a Kafka consumer of its own: what was read is good for so long.
_KNOWN_S: Final = 1.0
#: Alerts of one user: each is asked about every event that has one of its words.
MAX_OF_A_USER: Final = 100

_ID: Final = Parameter(
    "id", "path", "The alert's name.", {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,100}$"}, required=True
)


def _texts(**each: Any) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 256, **each}
    return {"oneOf": [text, {"type": "array", "items": text, "maxItems": MAX_VALUES}]}


_BODY: Final[dict[str, Any]] = {
    "type": "object",
    "additionalProperties": False,
    "description": "A search, as GET /v1/search has it.",
    "properties": {
        "q": {"type": "string", "maxLength": MAX_LENGTH},
        "kind": _texts(enum=[str(kind) for kind in Kind]),
        "channel": _texts(),
        "sender": _texts(),
        "type": _texts(),
        "near": {"type": "string", "description": "latitude,longitude"},
        "within": {"type": "string", "description": "A distance with its unit, like 5mi."},
        "streams": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_PATTERN},
            "maxItems": MAX_VALUES,
            "description": "Only streams that one of these patterns covers, like chat:wc26-*.",
        },
    },
}
_ALERT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["id", "stream"],
    "properties": {
        "id": {"type": "string"},
        "stream": {"type": "string", "description": "Where its matches arrive."},
        "suspended": {
            "type": "object",
            "description": "It took too much of the indexer: until when it is not asked, and why.",
        },
    },
}
_ONE: Final = Reply("The alert.", _ALERT)
_ALL: Final = Reply(
    "The alerts whose streams the token may publish to.",
    {"type": "object", "required": ["alerts"], "properties": {"alerts": {"type": "array", "items": _ALERT}}},
)


class _Saved:
    """All alerts, read at most once a second however many ask, and anew after each change here."""

    def __init__(self, context: Context, folding: Folding) -> None:
        self._settings, self._clock, self._folding = context.settings, context.clock, folding
        self._reading = asyncio.Lock()
        self._read_at, self._alerts = float("-inf"), dict[str, Alert]()
        self._rests: Mapping[str, Rest] = {}

    async def alerts(self) -> Mapping[str, Alert]:
        async with self._reading:
            now = self._clock.monotonic()
            if now - self._read_at >= _KNOWN_S:
                self._read_at = now
                try:
                    await asyncio.to_thread(self._read)
                except BaseException:
                    self.changed()
                    raise
            return self._alerts

    def changed(self) -> None:
        """What is known is not all any more."""
        self._read_at = float("-inf")

    def shown(self, alert: Alert) -> dict[str, Any]:
        """An alert, and that it rests if it does."""
        rest = self._rests.get(alert.id)
        if rest is None or rest.until_ms <= self._clock.now_ms():
            return shown(alert)
        return {**shown(alert), "suspended": rest_shown(rest)}

    def _read(self) -> None:
        log = AlertLog(self._settings, self._folding, self._clock)
        try:
            log.read_all()
            self._alerts = {alert_id: one.alert for alert_id, one in sorted(log.alerts.items())}
            self._rests = dict(log.rests)
        finally:
            log.close()


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    settings, clock, access = context.settings, context.clock, context.access
    folding = Folding(settings.elasticsearch.language)
    saved = _Saved(context, folding)
    alerts, with_rest = saved.alerts, saved.shown

    async def put(request: web.Request) -> web.Response:
        alert_id = _id_of(request)
        caller = await access.require(request, "publish", alert_stream(alert_id))
        patterns = (await access.scope(request, "search")).patterns
        if not patterns:
            raise TouchlineError("forbidden", "The token does not allow search, so nothing can be told.")
        admin = (await access.scope(request, "admin")).patterns
        by = {"patterns": patterns, "owner": caller.user, "admin": admin}
        given, streams = _parameters(await json_object(request, _MAX_BYTES, dict[str, Any]))
        alert = read_alert(alert_id, given, streams=streams, now_ms=clock.now_ms(), **by)
        ready(alert, folding)  # a query that cannot be read is said now
        there = await alerts()
        if alert_id not in there and len(there) >= MAX_ALERTS:
            raise TouchlineError("limit_reached", f"There are {MAX_ALERTS} alerts, as many as there may be.")
        of_user = sum(one.owner == caller.user for one in there.values())
        if caller.bound is not None and alert_id not in there and of_user >= MAX_OF_A_USER:
            raise TouchlineError(
                "limit_reached", f"You have {MAX_OF_A_USER} alerts, as many as one may have."
            )
        await asyncio.to_thread(save, settings, clock, alert, alert_id, actor=caller.user)
        saved.changed()
        return web.json_response(shown(alert), status=200 if alert_id in there else 201)

    async def show(request: web.Request) -> web.Response:
        alert_id = _id_of(request)
        await access.require(request, "publish", alert_stream(alert_id))
        return web.json_response(with_rest(_found(await alerts(), alert_id)))

    async def show_all(request: web.Request) -> web.Response:
        own = (await access.scope(request, "publish")).patterns
        if not own:
            return web.json_response({"alerts": []})
        found = [
            with_rest(alert)
            for alert_id, alert in (await alerts()).items()
            if any(matches(pattern, alert_stream(alert_id)) for pattern in own)
        ]
        return web.json_response({"alerts": found})

    async def remove(request: web.Request) -> web.Response:
        alert_id = _id_of(request)
        caller = await access.require(request, "publish", alert_stream(alert_id))
        alert = _found(await alerts(), alert_id)
        await asyncio.to_thread(save, settings, clock, None, alert_id, actor=caller.user)
        saved.changed()
        return web.json_response(shown(alert))

    errors = ("bad_request", "unauthorized", "forbidden", "unavailable")
    return [
        Operation(
            method="GET", path="/v1/alerts", handler=show_all, name="listAlerts",
            summary="The saved queries.", tag="alerts", replies={200: _ALL},
            errors=("unauthorized", "unavailable"),
        ),
        Operation(
            method="GET", path="/v1/alerts/{id}", handler=show, name="showAlert",
            summary="One saved query.", tag="alerts", parameters=(_ID,), replies={200: _ONE},
            errors=(*errors, "not_found"),
        ),
        Operation(
            method="PUT", path="/v1/alerts/{id}", handler=put, name="setAlert",
            summary="Save a query, or change it: each new event that matches arrives on a stream.",
            tag="alerts", parameters=(_ID,), body={JSON: _BODY},
            replies={200: Reply("The alert was changed.", _ALERT), 201: Reply("The alert is new.", _ALERT)},
            errors=(
                *errors, "too_large", "unsupported_media_type", "limit_reached", "not_delivered",
            ),
        ),
        Operation(
            method="DELETE", path="/v1/alerts/{id}", handler=remove, name="removeAlert",
            summary="Forget a saved query.", tag="alerts", parameters=(_ID,),
            replies={200: Reply("The alert, as it was.", _ALERT)},
            errors=(*errors, "not_found", "not_delivered"),
        ),
    ]  # fmt: skip


def _id_of(request: web.Request) -> str:
    alert_id = request.match_info["id"]
    check_id(alert_id)
    return alert_id


def _found(alerts: Mapping[str, Alert], alert_id: str) -> Alert:
    if alert_id not in alerts:
        raise TouchlineError("not_found", f"There is no alert {alert_id}.")
    return alerts[alert_id]


def _parameters(body: Mapping[str, Any]) -> tuple[list[tuple[str, str]], tuple[str, ...]]:
    """The search's parameters, and the stream patterns."""
    given: list[tuple[str, str]] = []
    streams: tuple[str, ...] = EVERYTHING
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            raise TouchlineError("bad_request", f"{name[:40]!r} is a text, or several in an array.")
        if name == "streams":
            streams = tuple(values) or EVERYTHING
        else:
            given += [(name, one) for one in values]
    return given, streams
