"""Walkers with friends and fences, who change their minds now and then; and those who look on."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from chaos.parts.walkers.judging import Onlooking, Told
from chaos.parts.walkers.oracle import Circle, pair
from consumers.client.machine.host import Live, Status
from consumers.client.requests.nearby import watch_nearby
from consumers.client.viewer import Viewer
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.settings.reading import Settings
from producers.pacing import play
from producers.producer import Producer
from producers.simulation.match import STADIUM
from producers.simulation.walking import friendships, walks

_TRY_S: Final = 20.0
_TRIES: Final = 6
_AGAIN_S: Final = 0.5
_AT_ONCE: Final = 50
#: Between two changes of mind; every so many walkers change theirs.
_MIND_S: Final = 2.0
_FICKLE: Final = 5
#: Onlookers stay so long, on average, and come again.
_STAY_S: Final = 40.0
#: From the last change until people walk: what fences go by is known everywhere by then.
_SETTLE_S: Final = 3.0
#: In a city of some five kilometres friends come and go at this radius.
RADIUS_M: Final = 800.0
_FENCES: Final = 12
_NAME: Final = "walker"


def fickle(user: str) -> bool:
    """Whether somebody changes their mind while things break."""
    return int(user.removeprefix(_NAME)) % _FICKLE == 0


def fences(number: int, chance: random.Random) -> dict[str, Circle]:
    """Circles about the city, of makers who never change their minds."""
    makers = [f"{_NAME}{n}" for n in range(number) if n % _FICKLE]
    found: dict[str, Circle] = {}
    for one in range(min(_FENCES, len(makers))):
        lat, lon = (place + chance.uniform(-0.015, 0.015) for place in STADIUM)
        radius = round(chance.uniform(150, 900), 1)
        found[f"chaos-{one}"] = Circle(chance.choice(makers), round(lat, 5), round(lon, 5), radius)
    return found


class People:
    """All who walk."""

    def __init__(self, gateway: str, settings: Settings, number: int, every_s: float, seed: int) -> None:
        self._gateway, self._settings, self._seed = gateway, settings, seed
        self._number, self._every_s = number, every_s
        self._chance = random.Random(f"{seed}-minds")  # noqa: S311 - to be had again
        self.names = [f"{_NAME}{n}" for n in range(number)]
        self.pairs = friendships(number, 8, seed)
        self.fences = fences(number, random.Random(f"{seed}-fences"))  # noqa: S311
        #: Positions that Kafka has taken, and those that it has not.
        self.delivered = self.failed = 0

    async def befriend(self) -> None:
        """Before anything breaks: who is whose friend, who agrees, and which places watch."""
        async with ClientSession(timeout=ClientTimeout(total=120)) as http:
            await self._make_friends(http)
            await _each(self.names, lambda user: self._share(http, user, on=True))
            await _each(list(self.fences.items()), lambda fence: self._watch(http, *fence))
        await asyncio.sleep(_SETTLE_S)

    async def _make_friends(self, http: ClientSession) -> None:
        """Asked for again where it is not in force in time: all has just been started on few cores."""
        lines = b"".join(msgspec.json.encode({"a": a, "b": b}) + b"\n" for a, b in self.pairs)
        headers = {"Content-Type": "application/x-ndjson"}
        for attempt in range(_TRIES):
            async with http.post(f"{self._gateway}/v1/friendships", data=lines, headers=headers) as response:
                said = await response.json()
            if response.status == 200 and not said["refused"]:
                return
            await asyncio.sleep(attempt + 1)
        raise TouchlineError("unavailable", f"The walkers are no friends yet: {str(said)[:300]}")

    async def walk(self, until: asyncio.Event) -> None:
        """Until told to end; what is under way then is waited for."""
        beats = walks(self._number, every_s=self._every_s, seed=self._seed)
        async with Producer(self._settings) as producer:
            until_then = takewhile(lambda _: not until.is_set(), beats)
            played = await play(producer, until_then, SystemClock())
        self.delivered, self.failed = played.delivered, played.failed

    async def change_minds(self, until: asyncio.Event) -> None:
        """Until told to end: somebody shares no more, or again; two are friends, or no more."""
        some = [user for user in self.names if fickle(user)]
        friends = {pair(a, b) for a, b in self.pairs}
        sharing = dict.fromkeys(some, True)
        async with ClientSession(timeout=ClientTimeout(total=_TRY_S)) as http:
            while not until.is_set() and len(some) > 1:
                if self._chance.random() < 0.5:
                    user = self._chance.choice(some)
                    sharing[user] = not sharing[user]
                    await self._share(http, user, on=sharing[user])
                else:
                    two = pair(*self._chance.sample(some, 2))
                    (friends.discard if two in friends else friends.add)(two)
                    method = "PUT" if two in friends else "DELETE"
                    await self._done(http, method, f"/v1/users/{two[0]}/friends/{two[1]}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), self._chance.uniform(0, 2 * _MIND_S))

    async def _share(self, http: ClientSession, user: str, *, on: bool) -> None:
        await self._done(http, "PUT", "/v1/sharing", {"on": on}, user)

    async def _watch(self, http: ClientSession, id_: str, circle: Circle) -> None:
        place = {"lat": circle.lat, "lon": circle.lon, "radius_m": circle.radius_m}
        await self._done(http, "PUT", f"/v1/fences/{id_}", place, circle.maker)

    async def _done(
        self,
        http: ClientSession,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        user: str | None = None,
    ) -> None:
        """The same again until the gateway says that it is in force. Raises where it is refused."""
        headers = {} if user is None else {"Touchline-User": user}
        while True:
            try:
                async with http.request(
                    method, f"{self._gateway}{path}", json=body, headers=headers
                ) as response:
                    if response.status < 300:
                        return
                    said, status = await response.text(), response.status
            except (ClientError, OSError, TimeoutError):
                status = 503
            if status < 500 and status != 429:
                raise TouchlineError("bad_request", f"{method} {path} answered {status}: {said[:300]}")
            await asyncio.sleep(_AGAIN_S)


class Onlooker:
    """A walker's own screen: who is near, as it is told; they look away now and then."""

    def __init__(self, user: str, urls: Sequence[str], seed: int) -> None:
        self.user, self._chance = user, random.Random(seed)  # noqa: S311 - to be had again
        self._urls = self._chance.sample(list(urls), len(urls))
        self._told: list[Told] = []
        self._steady = asyncio.Event()
        #: Keep nothing: in a long run without a comparison at its end.
        self.forget_what_was_seen = False

    @property
    def onlooking(self) -> Onlooking:
        """What was heard until now."""
        return Onlooking(self.user, STADIUM, list(self._told))

    def stay(self) -> None:
        """Look away no more."""
        self._steady.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            async with Viewer(self._urls, user=self.user, seed=self._chance.randrange(1 << 30)) as viewer:
                with viewer.statuses(self._status):
                    looks = asyncio.create_task(self._look(viewer))
                    stays = asyncio.create_task(self._stays())
                    try:
                        await asyncio.wait([looks, stays], return_when=asyncio.FIRST_COMPLETED)
                        if looks.done():
                            looks.result()
                    finally:
                        for task in (looks, stays):
                            task.cancel()
                        await asyncio.gather(looks, stays, return_exceptions=True)
                        self._note("lost")
            await asyncio.sleep(self._chance.uniform(0, _AGAIN_S))

    async def _stays(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._steady.wait(), self._chance.expovariate(1 / _STAY_S))
        if self._steady.is_set():
            await asyncio.Event().wait()

    async def _look(self, viewer: Viewer) -> None:
        looking = watch_nearby(viewer, *STADIUM, within=f"{RADIUS_M:g}m")
        # An edge that is just starting cannot say yet: it is asked again.
        with contextlib.suppress(TouchlineError, TimeoutError):
            async with contextlib.aclosing(looking) as changes:
                async for change in changes:
                    self._hear(change)

    def _hear(self, change: Mapping[str, Any]) -> None:
        if self.forget_what_was_seen:
            self._told.clear()
        if change["op"] == "near":
            self._told.append(
                Told(
                    *(_now_ms(), "near", change["user"], change["lat"], change["lon"]),
                    distance_m=change["distance_m"],
                    said=change["at"],
                )
            )
        elif change["op"] == "away":
            self._told.append(Told(_now_ms(), "away", change["user"], reason=change["reason"]))

    def _status(self, status: Status) -> None:
        live = isinstance(status, Live)
        stands = bool(self._told) and self._stands
        if live and not stands:
            self._note("begin")
        elif not live and stands:
            self._note("lost")

    @property
    def _stands(self) -> bool:
        last = next((one.op for one in reversed(self._told) if one.op in ("begin", "lost")), "lost")
        return last == "begin"

    def _note(self, what: str) -> None:
        self._told.append(Told(_now_ms(), "begin" if what == "begin" else "lost"))


async def _each(things: Sequence[Any], do: Callable[[Any], Awaitable[None]]) -> None:
    for start in range(0, len(things), _AT_ONCE):
        await asyncio.gather(*(do(thing) for thing in things[start : start + _AT_ONCE]))


def _now_ms() -> int:
    return round(time.time() * 1000)
