"""`touchline simulate --rooms`: rooms in which people talk, and some of them there on a device."""

import asyncio
import contextlib
import random
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import click

from consumers.client.requests.gateway import Asking
from consumers.client.requests.rooms import Rooms
from consumers.client.viewer import Gap, Viewer
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.settings.reading import load_settings
from producers.simulation.conversations import Doing, Planned, people, rooms, talk
from touchline.addresses import edge_url, gateway_url

_AT_ONCE: Final = 20
_FEW: Final = 3
_CONNECT_S: Final = 5.0
#: How long somebody takes to read what has come.
_READS_AFTER_S: Final = (0.5, 4.0)
#: After how long somebody says again what nobody knows the fate of.
_AGAIN_S: Final = (0.5, 2.0, 5.0)
#: Messages that may still be answered: their ids.
_KNOWN: Final = 10_000


async def converse(
    *, number: int, talkers: int, rate: float, viewers: int | None, seed: int, seconds: float | None
) -> dict[str, Any]:
    """Make the rooms, let some people come, then let all talk."""
    settings = load_settings()
    gateway, users = gateway_url(settings), people(talkers)
    # Rooms of an earlier run are left alone.
    prefix = f"sim{SystemClock().now_ms() // 1000:x}"
    planned = rooms(number, users, seed=seed, prefix=prefix)
    click.echo(f"Making {number} rooms of {talkers} people …", err=True)
    await _make(gateway, planned)
    click.echo(f"They talk (Ctrl-C ends it): touchline inbox --user {planned[0].maker}", err=True)
    there = [Phone(edge_url(settings), user, seed) for user in _busiest(planned, viewers)]
    tasks = [asyncio.create_task(phone.run()) for phone in there]
    try:
        speakers = Speakers(gateway)
        await _play(speakers, planned, users, rate=rate, seed=seed, seconds=seconds)
        await asyncio.sleep(_READS_AFTER_S[0])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    said = {"delivered": speakers.done, "refused": speakers.refused}
    return {"rooms": number, "people": talkers, **said, "seen": sum(phone.seen for phone in there)}


async def _make(gateway: str, planned: Sequence[Planned]) -> None:
    for start in range(0, len(planned), _AT_ONCE):
        some = planned[start : start + _AT_ONCE]
        await asyncio.gather(
            *(
                Rooms(gateway, user=one.maker).create(
                    one.name,
                    room=one.room,
                    members=one.members,
                    history=one.history,
                    receipts=one.receipts,
                )
                for one in some
            )
        )


def _busiest(planned: Sequence[Planned], viewers: int | None) -> list[str]:
    """Those who are in the rooms where most is said: these come first."""
    order = dict.fromkeys(user for one in planned for user in one.members)
    return list(order)[: _FEW if viewers is None else viewers]


async def _play(
    speakers: "Speakers",
    planned: Sequence[Planned],
    users: Sequence[str],
    *,
    rate: float,
    seed: int,
    seconds: float | None,
) -> None:
    loop, clock = asyncio.get_running_loop(), SystemClock()
    began = clock.monotonic()
    under_way: dict[str, asyncio.Task[None]] = {}
    for doing in talk(planned, users, per_s=rate, seed=seed):
        if seconds is not None and doing.at_s > seconds:
            break
        await asyncio.sleep(max(0.0, began + doing.at_s - clock.monotonic()))
        # In each room one thing after the other.
        if (before := under_way.get(doing.room)) is not None:
            await before
        under_way[doing.room] = loop.create_task(speakers.do(doing))
    await asyncio.gather(*under_way.values())


class _Speaker(Asking):
    """Somebody who says something by way of the gateway."""

    async def post(self, room: str, body: dict[str, Any]) -> str:
        """The id of the event, once it is accepted: said again while workers are busy, it counts once."""
        path = f"/v1/streams/chat/room-{quote(room)}/events?wait=accepted"
        keyed = {"key": secrets.token_urlsafe(12), **body}
        for wait_s in _AGAIN_S:
            try:
                return str((await self._ask("POST", path, keyed))["results"][0]["id"])
            except TouchlineError as error:
                if error.code != "unavailable":
                    raise
            await asyncio.sleep(wait_s)
        return str((await self._ask("POST", path, keyed))["results"][0]["id"])


class Speakers:
    """All who talk."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._ids: dict[tuple[str, int], str] = {}
        self.done = self.refused = 0

    async def do(self, doing: Doing) -> None:
        """Do it. Somebody who was taken out a moment ago is refused, which is as it should be; raises what
        ends all of it: no gateway, no rights."""
        try:
            await self._do(doing)
            self.done += 1
        except TouchlineError as error:
            if error.code not in ("not_found", "forbidden", "too_many", "rate_limited", "muted"):
                raise
            self.refused += 1

    async def _do(self, doing: Doing) -> None:
        if doing.what in ("add", "remove"):
            asker = Rooms(self._gateway, user=doing.by)
            add, remove = (doing.users, ()) if doing.what == "add" else ((), doing.users)
            await asker.members(doing.room, add=add, remove=remove)
            return
        about = self._ids.get((doing.room, doing.about))
        if doing.about and about is None:
            return
        speaker = _Speaker(self._gateway, user=doing.by)
        if doing.what == "say":
            reply = {"reply_to": about} if about else {}
            posted = await speaker.post(doing.room, {"data": {"text": doing.text, **reply}})
            self._ids[doing.room, doing.number] = posted
            if len(self._ids) > _KNOWN:
                del self._ids[next(iter(self._ids))]
        else:
            text = {"text": doing.text} if doing.what == "edit" else {}
            await speaker.post(doing.room, {"type": doing.what, "data": {"target": about, **text}})


class Phone:
    """Somebody's telephone: it follows all their rooms, and they read what comes after a moment."""

    def __init__(self, url: str, user: str, seed: int) -> None:
        self._url, self._user = url, user
        self._chance = random.Random(f"{seed}-{user}")  # noqa: S311 - a play
        self.seen = 0
        self._unread: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled. Raises `unavailable` where no edge answers."""
        async with Viewer(self._url, user=self._user, device="phone") as viewer:
            await viewer.connected(_CONNECT_S)
            reading = asyncio.create_task(self._read(viewer))
            try:
                async for item in viewer.sync():
                    if not isinstance(item, Gap):
                        self.seen += 1
                        self._unread[item.stream] = item.seq
            finally:
                reading.cancel()

    async def _read(self, viewer: Viewer) -> None:
        while True:
            await asyncio.sleep(self._chance.uniform(*_READS_AFTER_S))
            for stream in list(self._unread)[:5]:
                with contextlib.suppress(TouchlineError):  # a room that they were taken out of
                    await viewer.read(stream, self._unread.pop(stream))
