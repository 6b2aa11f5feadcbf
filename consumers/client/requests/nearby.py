"""Friends, consent, fences and who is near, for programs.

ana = Nearby("http://127.0.0.1:18080", user="ana")
await ana.ask("bob")                       # friends, once bob has asked too
await ana.share()                          # friends may see where I am
async with Viewer("ws://127.0.0.1:18081/v1/ws", user="ana") as viewer:
    await locate(viewer, 40.758, -73.9855)
    async for change in watch_nearby(viewer, 40.758, -73.9855, within="5mi"):
        print(change["op"], change)
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from consumers.client.machine.host import Live
from consumers.client.requests.gateway import Asking
from consumers.client.viewer import Viewer

_PAGE: Final = 200
_PUSHES: Final = ("near", "away")


class Nearby(Asking):
    """What one user does with friends, consent and fences. What is refused is raised as TouchlineError."""

    async def ask(self, user: str) -> dict[str, Any]:
        """Ask somebody for friendship, or say yes to it. Raises `forbidden` where they have blocked one."""
        return await self._ask("PUT", f"/v1/friends/{_quoted(user)}")

    async def end(self, user: str) -> None:
        """End a friendship, or a wish for it."""
        await self._ask("DELETE", f"/v1/friends/{_quoted(user)}")

    async def join(self, user: str, friend: str) -> None:
        """Make two others friends at once: an administrator does."""
        await self._ask("PUT", f"/v1/users/{_quoted(user)}/friends/{_quoted(friend)}")

    async def friends(self) -> AsyncIterator[dict[str, Any]]:
        """Friends, whom one has asked (`asked`), and who asks one (`asking`)."""
        async for row in self._pages("/v1/friends", "friends"):
            yield row

    async def share(self, *, on: bool = True, public: bool = False) -> dict[str, Any]:
        """Let friends (`public`: anybody, coarsely) see where one is; `on=False`: nobody."""
        return await self._ask("PUT", "/v1/sharing", {"on": on, "public": public})

    async def sharing(self) -> dict[str, Any]:
        """Whether others may see where one is."""
        return await self._ask("GET", "/v1/sharing")

    async def set_fence(
        self,
        id_: str,
        *,
        lat: float | None = None,
        lon: float | None = None,
        radius_m: float | None = None,
        polygon: Sequence[tuple[float, float]] = (),
        users: Sequence[str] = (),
        readers: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Have a circle or a polygon watch; its `stream` tells who comes and goes. Raises `exists`."""
        given: dict[str, Any] = {"lat": lat, "lon": lon, "radius_m": radius_m}
        lists = {"polygon": list(polygon), "users": list(users), "readers": list(readers)}
        body = given | {name: value for name, value in lists.items() if value}
        return await self._ask("PUT", f"/v1/fences/{_quoted(id_)}", body)

    async def fence(self, id_: str) -> dict[str, Any]:
        """A fence that one may know of. Raises `not_found`."""
        return await self._ask("GET", f"/v1/fences/{_quoted(id_)}")

    async def fences(self) -> AsyncIterator[dict[str, Any]]:
        """The fences that one has made."""
        async for row in self._pages("/v1/fences", "fences"):
            yield row

    async def remove_fence(self, id_: str) -> dict[str, Any]:
        """Have it watch no more."""
        return await self._ask("DELETE", f"/v1/fences/{_quoted(id_)}")


async def locate(
    viewer: Viewer, lat: float, lon: float, *, accuracy: float | None = None, client_ts: str | None = None
) -> None:
    """The viewer's user is there now. Raises `invalid_event` for where nobody can be then."""
    given = {"accuracy": accuracy, "client_ts": client_ts}
    asked = {"op": "locate", "lat": lat, "lon": lon}
    await viewer.request(asked | {name: value for name, value in given.items() if value is not None})


async def around(
    viewer: Viewer, lat: float, lon: float, *, within: str | None = None, limit: int = 20
) -> list[dict[str, Any]]:
    """Those near who made themselves public."""
    asked = {"op": "around", "lat": lat, "lon": lon, "limit": limit}
    reply = await viewer.request(asked if within is None else asked | {"within": within})
    found: list[dict[str, Any]] = reply["friends"]
    return found


async def watch_nearby(
    viewer: Viewer, lat: float, lon: float, *, within: str | None = None, limit: int = _PAGE
) -> AsyncGenerator[Mapping[str, Any]]:
    """Who is near and whatever changes: `near` and `away` as they are pushed, first those who are there.

    After a connection was lost it begins anew: `{"op": "again"}`, then whoever is near then.
    """
    came: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
    asked = {"op": "nearby", "lat": lat, "lon": lon, "limit": limit}
    asked |= {} if within is None else {"within": within}
    with contextlib.ExitStack() as stack:
        stack.callback(viewer.on_told(lambda told: came.put_nowait(told) if told["op"] in _PUSHES else None))
        stack.enter_context(viewer.statuses(lambda status: came.put_nowait({"op": "", "status": status})))
        first = True
        try:
            while True:
                if not first:
                    yield {"op": "again"}
                first = False
                page = await viewer.request(asked)
                while True:
                    for friend in page["friends"]:
                        yield {"op": "near", **friend}
                    if not page["more"]:
                        break
                    page = await viewer.request({"op": "nearby", "cursor": page["cursor"], "limit": limit})
                while (message := await came.get()).get("op") != "" or not isinstance(
                    message["status"], Live
                ):
                    if message["op"]:
                        yield message
        finally:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(viewer.request({"op": "nearby", "off": True}), 2)


def _quoted(name: str) -> str:
    return quote(name, safe="")
