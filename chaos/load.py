"""The load: matches of the simulator, posted to Kafka and over HTTP, and what of it was acknowledged."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from kernel.errors import TouchlineError
from kernel.settings.reading import Settings
from producers.posts import AnyPost, Broadcast, Chat
from producers.producer import Producer
from producers.simulation.match import match

#: At true pace somebody speaks, and somebody moves, about twice a minute; then a sixth of all events are told
#: by the match itself. How fast it is played is what the rate of the posters says.
_TALK_PER_S: Final = 0.008
_FANS: Final = 12
#: Of all events so many are posted over HTTP.
HTTP_SHARE: Final = 0.15
_TRY_S: Final = 10.0
_AGAIN_S: Final = 0.25
_OVERLOADED: Final = 429


def channels(number: int) -> list[str]:
    """Where matches are played."""
    return [f"arena-{one}" for one in range(number)]


def streams(number: int) -> list[str]:
    """What is posted to and watched."""
    return [f"{kind}:{name}" for name in channels(number) for kind in ("chat", "broadcast", "location")]


def events(channel: str, seed: int, prefix: str) -> Iterator[AnyPost]:
    """The simulator's events of one match after the other, with keys. The whole crowd of a match walks in one
    stream of locations, so that several senders meet there.
    """
    number, chance = 0, random.Random(seed)  # noqa: S311 - the same load each time
    while True:
        played = chance.randrange(1 << 30)
        for beat in match(channel, seed=played, speed=1.0, chat_per_s=_TALK_PER_S, fans=_FANS):
            number += 1
            yield msgspec.structs.replace(beat.post, channel=channel, key=f"{prefix}-{channel}-{number}")


class Poster:
    """What a producer has posted, by stream, and which of it was acknowledged."""

    name = "producer"

    def __init__(self) -> None:
        self.posted: defaultdict[str, list[str]] = defaultdict(list)
        self.acknowledged: defaultdict[str, list[str]] = defaultdict(list)
        self.failed: Counter[str] = Counter()

    async def run(self, until: asyncio.Event) -> None:
        """Post until told to end; what is under way then is waited for."""
        raise NotImplementedError


class KafkaPoster(Poster):
    """Posts to Kafka at a steady rate, and waits for nothing."""

    name = "the producer"

    def __init__(self, settings: Settings, number: int, per_s: float, chance: random.Random) -> None:
        super().__init__()
        self._settings, self._per_s, self._chance = settings, per_s, chance
        self._matches = [events(name, chance.randrange(1 << 30), "k") for name in channels(number)]

    async def run(self, until: asyncio.Event) -> None:
        """As told."""
        loop, number = asyncio.get_running_loop(), 0
        begun, waiting = loop.time(), set()
        async with Producer(self._settings) as producer:
            while not until.is_set():
                number += 1
                post = next(self._chance.choice(self._matches))
                stream, key = f"{post.kind}:{post.channel}", post.key or ""
                self.posted[stream].append(key)
                future = await producer.submit(post)
                future.add_done_callback(lambda done, s=stream, k=key: self._settled(done, s, k))  # type: ignore[misc]
                waiting.add(future)
                future.add_done_callback(waiting.discard)
                await asyncio.sleep(max(0.0, begun + number / self._per_s - loop.time()))
            await asyncio.gather(*waiting, return_exceptions=True)

    def _settled(self, done: "asyncio.Future[Any]", stream: str, key: str) -> None:
        if done.cancelled():
            return
        if (error := done.exception()) is None:
            self.acknowledged[stream].append(key)
        else:
            self.failed[getattr(error, "code", type(error).__name__)] += 1


class HttpPoster(Poster):
    """Posts to the gateway, for each channel one event after the other, the same one with its key again until
    the gateway says that Kafka has it.
    """

    name = "a producer over HTTP"

    def __init__(
        self,
        gateway: str,
        number: int,
        per_s: float,
        chance: random.Random,
        session: Callable[[], ClientSession] = lambda: ClientSession(timeout=ClientTimeout(total=_TRY_S)),
    ) -> None:
        super().__init__()
        self._gateway, self._every_s, self._session = gateway, number / per_s, session
        self._matches = [events(name, chance.randrange(1 << 30), "h") for name in channels(number)]

    async def run(self, until: asyncio.Event) -> None:
        """As told."""
        async with (
            self._session() as http,
            asyncio.TaskGroup() as group,
        ):
            for played in self._matches:
                group.create_task(self._play(http, played, until))

    async def _play(self, http: ClientSession, played: Iterator[AnyPost], until: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        for post in played:
            if until.is_set():
                return
            self.posted[f"{post.kind}:{post.channel}"].append(post.key or "")
            while not await self._taken(http, post):  # noqa: ASYNC110 - it asks, and each time anew
                await asyncio.sleep(_AGAIN_S)
            self.acknowledged[f"{post.kind}:{post.channel}"].append(post.key or "")
            # What could not be posted in time is not made up for: the gateway comes back to the usual load.
            due = max(due + self._every_s, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _taken(self, http: ClientSession, post: AnyPost) -> bool:
        """Whether the gateway has taken it; False: nobody knows. Raises where it says that it is wrong."""
        url = f"{self._gateway}/v1/streams/{post.kind}/{post.channel}/events"
        try:
            async with http.post(url, json=as_json(post)) as response:
                if response.status < 300:
                    return True
                said, status = await response.text(), response.status
        except (ClientError, OSError, TimeoutError):
            return False
        if status >= 500 or status == _OVERLOADED:
            return False
        raise TouchlineError("bad_request", f"{url} answered {status}: {said}")


def as_json(post: AnyPost) -> Mapping[str, Any]:
    """An event as the gateway takes it."""
    match post:
        case Broadcast():
            data = dict(post.data)
        case Chat():
            data = {"text": post.text}
        case _:
            data = {name: value for name, value in post.written().items() if value is not None}
    given = {"type": post.type, "key": post.key, "sender": post.sender, "data": data}
    return {name: value for name, value in given.items() if value is not None}
