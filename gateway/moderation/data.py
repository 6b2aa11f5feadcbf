"""GET and DELETE /v1/users/{user}/data: all that is known of a user, as NDJSON; and all of it taken back.

An erasure is one fact (`erase_user`, folded by the workers): what the user has posted until then is as if
they had taken it back, for whoever asks and by whatever way. So nothing has to be gone through, and there is
nothing to go on with after a crash.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web

from control.moderation.orders import ERASE, EVERYWHERE
from control.moderation.sanctions import shown
from control.rooms.service import Who
from gateway.context import Context
from gateway.feeds.service import feed_service
from gateway.feeds.service import known_of as followed_by
from gateway.http.operations import Operation, Reply
from gateway.moderation.user_export import (
    alerts_of,
    attachments_of,
    devices_and_places,
    fences_of,
    reactions_of,
)
from gateway.nearby.service import known_of, nearby_service
from gateway.outlets.service import known_of as wishes_of
from gateway.outlets.service import outlet_service
from gateway.rooms.rooms import USER
from gateway.rooms.service import bound_of, who_asks
from history.retractions import TakenBack
from history.sources.elasticsearch_client import elastic_client
from kernel.access.users import check_user
from kernel.clock import to_rfc3339
from kernel.errors import TouchlineError
from kernel.log.topics import topic_names, topics
from search_indexer.searching.of_user import events_of

_TIMEOUT_S: Final = 10.0
_PAGE: Final = 100
#: An export costs as much as so many pages of history: all fences and voices are looked through for it.
_COST: Final = 5.0
_ERRORS: Final = ("bad_request", "unauthorized", "forbidden", "unavailable", "rate_limited")
_ERASED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["user", "erased_until", "stays"],
    "properties": {
        "user": {"type": "string"},
        "erased_until": {
            "type": "string",
            "format": "date-time",
            "description": "What they posted up to this time nobody is shown any more.",
        },
        "stays": {
            "type": "array",
            "description": "What is kept all the same, where, and until when (null: until they end it).",
            "items": {
                "type": "object",
                "required": ["what", "until"],
                "properties": {
                    "what": {"type": "string"},
                    "topic": {"type": "string"},
                    "until": {"type": ["string", "null"]},
                },
            },
        },
    },
}


async def routes(context: Context) -> Sequence[Operation]:  # noqa: PLR0915 - one function an operation
    """The operations of this module."""
    client = await context.stack.enter_async_context(elastic_client(context.settings, timeout_s=_TIMEOUT_S))
    state, settings = context.control_state, context.settings
    moderation, taken_back = state.moderation, TakenBack(state.moderation)
    nearby, feeds, outlets = nearby_service(context), feed_service(context), outlet_service(context)

    async def whose(request: web.Request) -> tuple[Who, str]:
        who, user = await who_asks(context, request), check_user(request.match_info["user"])
        if who.user != user and not who.grants.allows("admin", "*"):
            raise TouchlineError("forbidden", "Only a user themselves, or admin, asks for their data.")
        return who, user

    async def erase(request: web.Request) -> web.Response:
        who, user = await whose(request)
        context.budgets.take_command(bound_of(context, who))
        before = moderation.erased_at(user)
        await context.commands.send(EVERYWHERE, ERASE, {"user": user}, actor=who.user)
        await state.rooms.until(lambda: moderation.erased_at(user) > before)
        until = moderation.erased_at(user)
        await nearby.forget(user, actor=who.user)
        await feeds.forget(user)
        await outlets.forget(user)
        return web.json_response({"user": user, "erased_until": to_rfc3339(until), "stays": stays(until)})

    def stays(until_ms: int) -> list[dict[str, Any]]:
        names = topic_names(settings)
        said = {
            **dict.fromkeys(names.ingest.values(), "what they posted, as it came"),
            **dict.fromkeys(names.events.values(), "what they posted, as it was accepted: for replays"),
            names.fanout_live: "what they posted, on its way to viewers",
            names.fanout_location: "their positions, on their way to viewers",
            names.rejected: "what of theirs was refused",
            names.reactions: "their reactions and votes, which count on",
        }
        kept = [
            {"what": said[topic.name], "topic": topic.name, "until": _end(until_ms, topic.config)}
            for topic in topics(settings)
            if topic.name in said
        ]
        return [
            *kept,
            {
                "what": "that they are in rooms, whom they have blocked, and who is their friend",
                "until": None,
            },
        ]

    async def lines(user: str) -> AsyncIterator[dict[str, Any]]:
        yield {"what": "user", "user": user, "at": to_rfc3339(context.clock.now_ms())}
        for one in state.rooms.of_user(user):
            muted = {"muted": one.muted}
            yield {"what": "room", "room": one.room, "since": one.since, **muted}
        await asyncio.sleep(0)
        after = ""
        while page := state.rooms.blocks_of(user, after=after, limit=_PAGE):
            for block in page:
                yield {"what": "block", "user": block.blocked, "since": to_rfc3339(block.at)}
            after = page[-1].blocked
        for source in (
            known_of(state.consent, user),
            followed_by(state.feeds, user),
            wishes_of(state.outlets, user),
            devices_and_places(state.rooms.inboxes.of_user(user)),
            alerts_of([one.alert for one in context.alerts.alerts.values()], user),
        ):
            await asyncio.sleep(0)  # others have their turn: each is read at once
            for one_of_theirs in source:
                yield one_of_theirs
        async for fence in fences_of(state.consent, user):
            yield fence
        async for reaction in reactions_of(state.crowd, user):
            yield reaction
        for channel in moderation.banned_from(user):
            if (sanction := moderation.of(channel, user)) is not None:
                times = shown(sanction, context.clock.now_ms())
                yield {"what": "ban", "channel": channel, "until": times.get("banned_until")}
        number = 0
        async for event in events_of(client, settings, user, taken_back):
            number += 1
            yield {"what": "event", "event": msgspec.Raw(event)}
            async for attachment in attachments_of(context.attachments, event):
                yield attachment
        yield {"what": "end", "events": number}

    async def export(request: web.Request) -> web.StreamResponse:
        who, user = await whose(request)
        context.budgets.take_read(bound_of(context, who), _COST)
        given = lines(user)
        first = await anext(given)
        response = web.StreamResponse()
        response.content_type = "application/x-ndjson"
        async with context.pages.slot(bound_of(context, who)):
            await response.prepare(request)
            await response.write(msgspec.json.encode(first) + b"\n")
            try:
                async for line in given:
                    await response.write(msgspec.json.encode(line) + b"\n")
            except TouchlineError as error:
                # It has begun: that the line `end` is missing says that it is not whole, and this says why.
                said = {"what": "error", "code": error.code, "message": error.message}
                await response.write(msgspec.json.encode(said) + b"\n")
            await response.write_eof()
        return response

    return [
        Operation(
            method="GET", path="/v1/users/{user}/data", handler=export, name="exportUser",
            summary="All that is known of a user, a line each; `end` is the last one of a whole answer.",
            tag="users", parameters=(USER,),
            replies={200: Reply("The lines.", {"type": "object"}, "application/x-ndjson")}, errors=_ERRORS,
        ),
        Operation(
            method="DELETE", path="/v1/users/{user}/data", handler=erase, name="eraseUser",
            summary="Take back all that a user has posted, wherever: admin, or the user.", tag="users",
            parameters=(USER,), replies={200: Reply("It is in force.", _ERASED)},
            errors=(*_ERRORS, "not_delivered"),
        ),
    ]  # fmt: skip


def _end(since_ms: int, config: Any) -> str | None:
    kept = config.get("retention.ms")
    return None if kept is None else to_rfc3339(since_ms + int(kept))
