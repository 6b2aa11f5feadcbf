"""Scheduled posts, for programs: events that are posted at their time, whoever has gone home by then.

studio = Schedule("http://127.0.0.1:18080", user="ana")
await studio.put("broadcast:wc26-final", "break", "2026-07-19T19:48:00Z", "half_time", {"text": "Level."})
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from consumers.client.requests.gateway import Asking


class Schedule(Asking):
    """What somebody who may publish has scheduled. What is refused is raised as TouchlineError."""

    async def put(
        self, stream: str, id_: str, at: str | int, type_: str | None, data: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Have an event posted at a time (RFC 3339, or milliseconds since 1970), exactly once; or say anew
        what is scheduled as this id. Raises `too_many`, `forbidden`, `invalid_event`; `ended` while it is
        being posted."""
        return await self._ask(
            "PUT", f"{_path(stream)}/{quote(id_)}", {"at": at, "type": type_, "data": data}
        )

    async def list(self, stream: str) -> list[dict[str, Any]]:
        """What is going to be posted on a stream, the next first."""
        return list((await self._ask("GET", _path(stream)))["scheduled"])

    async def remove(self, stream: str, id_: str) -> dict[str, Any]:
        """It is not posted. Raises `not_found`, also where it was posted before."""
        return await self._ask("DELETE", f"{_path(stream)}/{quote(id_)}")


def _path(stream: str) -> str:
    kind, _, channel = stream.partition(":")
    return f"/v1/streams/{quote(kind)}/{quote(channel, safe='')}/scheduled"
