"""Rooms, for programs: made, shown and changed by way of a gateway.

room = await Rooms(user="ana").create("Study group", members=["bob"], room="study-1")
async with Viewer("ws://127.0.0.1:18081/v1/ws", user="ana") as viewer:
    await viewer.publish(room["stream"], {"text": "Hello!"})
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from consumers.client.requests.gateway import Asking


class Rooms(Asking):
    """What one user does with rooms. Everything that is refused is raised as TouchlineError."""

    async def create(
        self,
        name: str,
        *,
        members: Sequence[str] = (),
        room: str | None = None,
        history: str | None = None,
        receipts: bool | None = None,
    ) -> dict[str, Any]:
        """Make a room, and return it once it is in force. Raises `exists`, `too_many`."""
        body = {
            "name": name,
            "members": list(members),
            "room": room,
            "history": history,
            "receipts": receipts,
        }
        return await self._ask("POST", "/v1/rooms", body)

    async def show(self, room: str) -> dict[str, Any]:
        """A room that one is in. Raises `not_found`."""
        return await self._ask("GET", _path(room))

    async def mine(self) -> AsyncIterator[dict[str, Any]]:
        """A row for each room that one is in, the latest activity first."""
        async for row in self._pages("/v1/rooms", "rooms"):
            yield row

    async def change(
        self,
        room: str,
        *,
        name: str | None = None,
        history: str | None = None,
        receipts: bool | None = None,
    ) -> dict[str, Any]:
        """Change what is set for it."""
        return await self._ask("PATCH", _path(room), {"name": name, "history": history, "receipts": receipts})

    async def members(
        self,
        room: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
        roles: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Take people out, add others, give roles; returns the room once that is in force."""
        body = {"add": list(add), "remove": list(remove), "roles": dict(roles or {})}
        return await self._ask("POST", f"{_path(room)}/members", body)

    async def mute(self, room: str, *, on: bool = True) -> dict[str, Any]:
        """No notifications of it, or again."""
        return await self._ask("PUT", f"{_path(room)}/mute", {"on": on})

    async def delete(self, room: str) -> dict[str, Any]:
        """Delete it: its owner does."""
        return await self._ask("DELETE", _path(room))

    async def devices(self) -> list[dict[str, Any]]:
        """One's devices of the last 30 days, the latest first: `device`, `last_active`."""
        return list((await self._ask("GET", "/v1/devices"))["devices"])

    async def sign_out(self, device: str) -> None:
        """End a device's connections, and forget what it has received. Raises `not_found`."""
        await self._ask("DELETE", f"/v1/devices/{quote(device, safe='')}")

    async def disconnect(self, user: str) -> None:
        """End all connections of a user: for admin."""
        await self._ask("POST", f"/v1/users/{quote(user, safe='')}/disconnect")

    async def block(self, user: str) -> None:
        """This user adds one to no room any more."""
        await self._ask("PUT", f"/v1/blocks/{quote(user, safe='')}")

    async def unblock(self, user: str) -> None:
        """They may again."""
        await self._ask("DELETE", f"/v1/blocks/{quote(user, safe='')}")


def _path(room: str) -> str:
    return f"/v1/rooms/{quote(room, safe='')}"
