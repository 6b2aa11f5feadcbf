"""Friends: asking, saying yes, ending it; lists of them; and many friendships at once, for administrators."""

import asyncio
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.rooms.service import Who
from gateway.context import Context
from gateway.http.bodies import NDJSON, content_type_of, lines_of, whole
from gateway.http.operations import Operation, Parameter, Reply
from gateway.nearby.service import nearby_service
from gateway.rooms.rooms import CURSOR, LIMIT, USER, limit_of
from gateway.rooms.service import bound_of, who_asks
from kernel.access.users import MAX_USER, check_user
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError

_LIMIT: Final = 100
_MAX_LINE: Final = 1024
#: Friendships of one body that are on their way at once, and refusals that are told of.
_AT_ONCE: Final = 200
_TOLD: Final = 1000
#: After so many it is waited until they are in force: what others say stands behind them in the same queues.
_AHEAD: Final = 1000
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited")
_CHANGING: Final = (*_ERRORS, "not_delivered")
_STATE: Final[dict[str, Any]] = {
    "type": ["string", "null"],
    "enum": ["friends", "asked", "asking", None],
    "description": "asked: I have; asking: they have; null: it is over.",
}
_FRIEND: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["user", "state"],
    "properties": {
        "user": {"type": "string"},
        "state": _STATE,
        "since": {"type": "string", "format": "date-time"},
    },
}
_ONE: Final = Reply("It is in force.", _FRIEND)
_LIST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["friends", "next"],
    "properties": {
        "friends": {"type": "array", "items": _FRIEND},
        "next": {"type": ["string", "null"]},
    },
}
_PAIR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["a", "b"],
    "properties": {name: {"type": "string", "minLength": 1, "maxLength": MAX_USER} for name in ("a", "b")},
}
_MANY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["accepted", "refused"],
    "properties": {
        "accepted": {"type": "integer"},
        "refused": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["line", "code", "message"],
                "properties": {
                    "line": {"type": "integer"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
_A: Final = Parameter("a", "path", "One of the two.", USER.schema, required=True)
_B: Final = Parameter("b", "path", "The other one.", USER.schema, required=True)


class _Pair(msgspec.Struct, frozen=True):
    a: str
    b: str


async def routes(context: Context) -> Sequence[Operation]:  # noqa: PLR0915 - one function an operation
    """The operations of this module."""
    service = nearby_service(context)

    async def ask(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(shown(await service.ask(who, request.match_info["user"])))

    async def end(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_command(bound_of(context, who))
        return web.json_response(shown(await service.end(who, request.match_info["user"])))

    async def listed(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        context.budgets.take_read(bound_of(context, who))
        after = _read_cursor(request.query.get("cursor", ""))
        page = service.friends(who, after=after, limit=limit_of(request, _LIMIT))
        rows = [shown({"user": f.friend, "state": f.state, "since": f.since}) for f in page["friends"]]
        next_ = None if page["next"] is None else urlsafe_b64encode(page["next"].encode()).decode()
        return web.json_response({"friends": rows, "next": next_})

    def administrator(who: Who) -> None:
        if not who.grants.allows("admin", "*"):
            raise TouchlineError("forbidden", "Only an administrator makes friends of others.")

    async def join(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        administrator(who)
        a, b = request.match_info["a"], request.match_info["b"]
        await service.join(a, b, actor=who.user)
        return web.json_response(shown({"user": b, "state": "friends"}))

    async def part(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        administrator(who)
        a, b = check_user(request.match_info["a"]), check_user(request.match_info["b"])
        await service.part(a, b, actor=who.user)
        return web.json_response({"user": b, "state": None})

    async def many(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        administrator(who)
        refused: list[dict[str, Any]] = []
        last: deque[_Pair] = deque(maxlen=_AT_ONCE)
        number = accepted = in_force = 0
        room = service.room()

        async def one(line: int, text: bytes) -> None:
            nonlocal accepted
            try:
                pair = msgspec.json.decode(text, type=_Pair)
                await service.join(pair.a, pair.b, actor=who.user, room=room, wait=False)
            except (TouchlineError, msgspec.MsgspecError, ValueError, RecursionError) as error:
                if len(refused) < _TOLD:
                    code = error.code if isinstance(error, TouchlineError) else "bad_request"
                    refused.append({"line": line, "code": code, "message": f"{error}"[:300]})
                return
            accepted += 1
            last.append(pair)

        async def settled() -> None:
            nonlocal in_force
            for pair in last:
                await service.joined(pair.a, pair.b)
            in_force = accepted

        async def all_of(lines: Sequence[bytes]) -> None:
            nonlocal number
            for start in range(0, len(lines), _AT_ONCE):
                part = lines[start : start + _AT_ONCE]
                await asyncio.gather(*(one(number + i, text) for i, text in enumerate(part, 1)))
                number += len(part)
                if accepted - in_force >= _AHEAD:
                    await settled()

        if content_type_of(request) in NDJSON:
            async for lines in lines_of(request, _MAX_LINE, context.settings.gateway.max_lines):
                await all_of(lines)
        else:
            await all_of([await whole(request, _MAX_LINE)])
        await settled()
        return web.json_response({"accepted": accepted, "refused": refused})

    return [
        Operation(
            method="PUT", path="/v1/friends/{user}", handler=ask, name="askFriend", tag="users",
            summary="Ask somebody for friendship; both have asked: you are friends.", parameters=(USER,),
            replies={200: _ONE}, errors=(*_CHANGING, "too_many"),
        ),
        Operation(
            method="DELETE", path="/v1/friends/{user}", handler=end, name="endFriendship", tag="users",
            summary="End a friendship, or a wish for it.", parameters=(USER,), replies={200: _ONE},
            errors=_CHANGING,
        ),
        Operation(
            method="GET", path="/v1/friends", handler=listed, name="listFriends", tag="users",
            summary="My friends, whom I have asked, and who asks me.", parameters=(LIMIT, CURSOR),
            replies={200: Reply("A page of them.", _LIST)}, errors=_ERRORS,
        ),
        Operation(
            method="PUT", path="/v1/users/{a}/friends/{b}", handler=join, name="makeFriends", tag="users",
            summary="Make two people friends at once: an administrator does.", parameters=(_A, _B),
            replies={200: _ONE}, errors=(*_CHANGING, "too_many"),
        ),
        Operation(
            method="DELETE", path="/v1/users/{a}/friends/{b}", handler=part, name="partFriends", tag="users",
            summary="End the friendship of two people: an administrator does.", parameters=(_A, _B),
            replies={200: _ONE}, errors=_CHANGING,
        ),
        Operation(
            method="POST", path="/v1/friendships", handler=many, name="makeManyFriends", tag="users",
            summary="Make many friendships: one, or NDJSON of any length; an administrator does.",
            body={"application/json": _PAIR, NDJSON[0]: {"type": "string"}},
            replies={200: Reply("They are in force, but for those refused.", _MANY)},
            errors=(*_CHANGING, "too_large", "unsupported_media_type"),
        ),
    ]  # fmt: skip


def shown(friend: dict[str, Any]) -> dict[str, Any]:
    """A friend as JSON."""
    return {**friend, "since": to_rfc3339(friend["since"])} if friend.get("since") else friend


def _read_cursor(text: str) -> str:
    try:
        return check_user(urlsafe_b64decode(text).decode()) if text else ""
    except (ValueError, TouchlineError):
        raise TouchlineError("bad_request", "The cursor is none of this list's.") from None
