"""/v1/alerts: saved queries whose matches arrive on a stream, by those who may publish to that stream."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from gateway.context import Context
from gateway.http.access import Caller
from gateway.http.bodies import JSON, json_object
from gateway.http.operations import Operation, Parameter, Reply
from kernel.access.tokens import matches
from kernel.access.users import MAX_USER
from kernel.errors import TouchlineError
from kernel.log.positions import Kind
from search_indexer.alerts import (
    ID,
    MAX_ALERTS,
    MAX_PATTERN,
    MAX_READERS,
    Alert,
    AlertSaver,
    alert_stream,
    check_id,
    check_new,
    check_owner,
    read_alert,
    rest_shown,
    shown,
)
from search_indexer.query.parser import MAX_LENGTH
from search_indexer.searching.request import MAX_VALUES
from search_indexer.text.folding import Folding

_MAX_BYTES: Final = 64 * 1024
#: How long a change is waited for to be known here, too.
_TAKEN_S: Final = 2.0
#: Alerts of one user: each is asked about every event that has one of its words.
MAX_OF_A_USER: Final = 100

_ID: Final = Parameter(
    "id", "path", "The alert's name.", {"type": "string", "pattern": f"^{ID.pattern}$"}, required=True
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
        "readers": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": MAX_USER},
            "maxItems": MAX_READERS,
            "description": "Who may read its stream, beside you.",
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


async def routes(context: Context) -> Sequence[Operation]:
    """The operations of this module."""
    settings, clock, access = context.settings, context.clock, context.access
    book, folding = context.alerts, Folding(settings.elasticsearch.language)
    saver = AlertSaver(settings, clock)
    table = context.control_state.table["alerts"]

    def alerts() -> dict[str, Alert]:
        if not context.control_state.known:
            raise TouchlineError(
                "unavailable", "The alerts have not been read from Kafka yet: try again in a moment."
            )
        return {alert_id: one.alert for alert_id, one in sorted(book.alerts.items())}

    async def keep(alert: Alert | None, alert_id: str, actor: str | None) -> None:
        """Save it; who asks this gateway afterwards is answered by it."""
        offset = await asyncio.to_thread(saver.save, alert, alert_id, actor=actor)
        await context.following.taken(table, 0, offset, within_s=_TAKEN_S)

    def with_rest(alert: Alert) -> dict[str, Any]:
        """An alert, and that it rests if it does."""
        rest = book.rests.get(alert.id)
        if rest is None or rest.until_ms <= clock.now_ms():
            return shown(alert)
        return {**shown(alert), "suspended": rest_shown(rest)}

    async def put(request: web.Request) -> web.Response:
        alert_id = _id_of(request)
        caller = await access.require(request, "publish", alert_stream(alert_id))
        context.budgets.take_command(caller.bound)
        patterns = (await access.scope(request, "search")).patterns
        if not patterns:
            raise TouchlineError("forbidden", "The token does not allow search, so nothing can be told.")
        admin = (await access.scope(request, "admin")).patterns
        by: dict[str, Any] = {"patterns": patterns, "owner": caller.user, "admin": admin}
        given, lists = parameters_of(await json_object(request, _MAX_BYTES, dict[str, Any]))
        alert = read_alert(alert_id, given, **lists, now_ms=clock.now_ms(), **by)
        check_new(alert, folding)  # a query that cannot be read is said now
        there = alerts()
        _check_room(caller, alert_id, there)
        await keep(alert, alert_id, caller.user)
        return web.json_response(shown(alert), status=200 if alert_id in there else 201)

    async def show(request: web.Request) -> web.Response:
        alert_id = _id_of(request)
        caller = await access.require(request, "publish", alert_stream(alert_id))
        alert = _found(alerts(), alert_id)
        _only_theirs(caller, alert)
        return web.json_response(with_rest(alert))

    async def show_all(request: web.Request) -> web.Response:
        own, admin = await access.scope(request, "publish"), await access.scope(request, "admin")
        context.budgets.take_read(own.bound)
        found = [
            with_rest(alert)
            for alert_id, alert in (alerts()).items()
            if any(matches(pattern, alert_stream(alert_id)) for pattern in own.patterns)
            and (
                alert.owner in (None, own.user)
                or any(matches(pattern, alert_stream(alert_id)) for pattern in admin.patterns)
            )
        ]
        return web.json_response({"alerts": found})

    async def remove(request: web.Request) -> web.Response:
        alert_id = _id_of(request)
        caller = await access.require(request, "publish", alert_stream(alert_id))
        alert = _found(alerts(), alert_id)
        _only_theirs(caller, alert)
        context.budgets.take_command(caller.bound)
        await keep(None, alert_id, caller.user)
        return web.json_response(shown(alert))

    errors = ("bad_request", "unauthorized", "forbidden", "unavailable")
    return [
        Operation(
            method="GET", path="/v1/alerts", handler=show_all, name="listAlerts",
            summary="The saved queries.", tag="alerts", replies={200: _ALL},
            errors=("unauthorized", "unavailable", "rate_limited"),
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
                "rate_limited",
            ),
        ),
        Operation(
            method="DELETE", path="/v1/alerts/{id}", handler=remove, name="removeAlert",
            summary="Forget a saved query.", tag="alerts", parameters=(_ID,),
            replies={200: Reply("The alert, as it was.", _ALERT)},
            errors=(*errors, "not_found", "not_delivered", "rate_limited"),
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


def _check_room(caller: Caller, alert_id: str, there: Mapping[str, Alert]) -> None:
    """Raise `forbidden` where there is one of this name, of somebody else; `limit_reached` where there may be
    no alert more, or none of this user's."""
    if alert_id in there:
        _only_theirs(caller, there[alert_id])
        return
    if len(there) >= MAX_ALERTS:
        raise TouchlineError("limit_reached", f"There are {MAX_ALERTS} alerts, as many as there may be.")
    of_user = sum(one.owner == caller.user for one in there.values())
    if caller.bound is not None and of_user >= MAX_OF_A_USER:
        raise TouchlineError("limit_reached", f"You have {MAX_OF_A_USER} alerts, as many as one may have.")


def _only_theirs(caller: Caller, alert: Alert) -> None:
    """Raise `forbidden` where an alert is somebody else's. Those of the command line are nobody's."""
    if not caller.speaks_for_others:
        check_owner(alert, caller.user)


def parameters_of(body: Mapping[str, Any]) -> tuple[list[tuple[str, str]], dict[str, tuple[str, ...]]]:
    """The search's parameters; and the lists that are no search's: stream patterns, readers."""
    given: list[tuple[str, str]] = []
    lists: dict[str, tuple[str, ...]] = {}
    for name, value in body.items():
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str) for one in values):
            raise TouchlineError("bad_request", f"{name[:40]!r} is a text, or several in an array.")
        if name in ("streams", "readers"):
            if values:
                lists[name] = tuple(values)
        else:
            given += [(name, one) for one in values]
    return given, lists
