"""POST /v1/demo/walk: people who walk about a city, the asker's friends, for who wants to see it live."""

import asyncio
from collections.abc import Sequence
from itertools import takewhile
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web

from control.rooms.service import Who
from gateway.context import Context
from gateway.http.bodies import json_object
from gateway.http.operations import Operation, Reply
from gateway.nearby.service import nearby_service
from gateway.rooms.service import who_asks
from kernel.access.tokens import has_keys, without_admin
from kernel.errors import TouchlineError
from kernel.process.logs import get_logger
from producers.simulation.match import STADIUM
from producers.simulation.walking import walks

_log = get_logger("touchline.gateway")
#: They walk for so long, and each says where they are every so often.
SECONDS: Final = 180
_EVERY_S: Final = 2.0
_WALKERS: Final = 12
#: The same one each time: whoever walks again begins where they began.
_SEED: Final = 2026
#: Every so many of them is to be seen by strangers, too.
_PUBLIC: Final = 4
_MAX_BODY: Final = 1024


class WalkRequest(msgspec.Struct, frozen=True):
    """The body of the request."""

    walkers: Annotated[int, msgspec.Meta(ge=1, le=50)] = _WALKERS
    seconds: Annotated[int, msgspec.Meta(ge=5, le=3600)] = SECONDS


class Walks:
    """The walk that this gateway plays; there is one city."""

    def __init__(self, context: Context) -> None:
        self._context, self._service = context, nearby_service(context)
        self._walking: asyncio.Task[None] | None = None
        self._number = 0

    async def start(self, user: str, wanted: WalkRequest) -> None:
        """Make walkers somebody's friends, and let them walk; where so many walk already, these go on."""
        names = [f"walker{n}" for n in range(wanted.walkers)]
        await asyncio.gather(*(self._service.join(user, name, actor="touchline") for name in names))
        await asyncio.gather(*(self._share(n, name) for n, name in enumerate(names)))
        if self._walking is None or self._walking.done() or wanted.walkers > self._number:
            await self.stop()
            self._walking, self._number = asyncio.create_task(self._walk(wanted)), wanted.walkers

    async def _share(self, number: int, name: str) -> None:
        walker = Who(without_admin(name, named=True))
        await self._service.share(walker, on=True, public=number % _PUBLIC == 0)

    async def _walk(self, wanted: WalkRequest) -> None:
        clock, begun = self._context.clock, self._context.clock.monotonic()
        beats = walks(wanted.walkers, every_s=_EVERY_S, seed=_SEED)
        try:
            for beat in takewhile(lambda beat: beat.at_s <= wanted.seconds, beats):
                await asyncio.sleep(max(0.0, begun + beat.at_s - clock.monotonic()))
                await self._context.producer.send(beat.post)
        except TouchlineError as error:
            _log.warning("a demo walk was called off", code=error.code, reason=str(error))

    async def stop(self) -> None:
        """Call it off."""
        if self._walking is not None:
            self._walking.cancel()
            await asyncio.gather(self._walking, return_exceptions=True)


async def routes(context: Context) -> Sequence[Operation]:
    """`POST /v1/demo/walk`."""
    demo = Walks(context)
    context.stack.push_async_callback(demo.stop)

    async def start(request: web.Request) -> web.Response:
        who = await who_asks(context, request)
        user = who.named()
        # Where there are keys a walker's name may be somebody's.
        if has_keys(context.settings.auth) and not who.grants.allows("admin", "*"):
            raise TouchlineError("forbidden", "Where there are keys administrators start the demo walk.")
        wanted = await json_object(request, _MAX_BODY, WalkRequest)
        await demo.start(user, wanted)
        reply = {"lat": STADIUM[0], "lon": STADIUM[1], "walkers": wanted.walkers, "seconds": wanted.seconds}
        return web.json_response(reply, status=202)

    return [
        Operation(
            method="POST", path="/v1/demo/walk", handler=start, name="startDemoWalk", tag="operations",
            summary="Have people walk about a city for three minutes, as my friends.",
            body={"application/json": {"type": "object", "properties": _ASKED}},
            replies={202: Reply("They are on their way, around this place.", _REPLY)},
            errors=(
                *("bad_request", "unauthorized", "forbidden", "too_large", "unsupported_media_type"),
                *("too_many", "unavailable", "not_delivered"),
            ),
        )
    ]  # fmt: skip


_ASKED: Final[dict[str, Any]] = {
    "walkers": {"type": "integer", "minimum": 1, "maximum": 50, "default": _WALKERS},
    "seconds": {"type": "integer", "minimum": 5, "maximum": 3600, "default": SECONDS},
}
_REPLY: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["lat", "lon", "walkers", "seconds"],
    "properties": {"lat": {"type": "number"}, "lon": {"type": "number"}, **_ASKED},
}
