"""Who uses the pipeline while it is shaken: a producer, viewers, and somebody who reads and searches."""

import asyncio
import contextlib
import random
import ssl
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from chaos import invariants
from chaos.invariants import Log, Seen
from chaos.load import HttpPoster, streams
from chaos.recorders import Reader, Watcher
from chaos.run import until_right
from kernel.log.positions import Kind, Stream

CHANNELS: Final = 4
VIEWERS: Final = 8
_PER_S: Final = 40.0
_REST_S: Final = 240.0


class People:
    """All of them, through the balancer, with a token."""

    def __init__(self, url: str, edges: str, certificate: Path, token: str) -> None:
        self.url, self._certificate, self._token = url, certificate, token
        chance = random.Random(7)  # the same each time
        self.poster = HttpPoster(url, CHANNELS, _PER_S, chance, self.session)
        #: Where viewers may miss nothing: of a location stream the latest positions are enough.
        self.streams = [s for s in streams(CHANNELS) if Stream.parse(s).kind is not Kind.LOCATION]
        self.watchers = [
            Watcher(f"viewer {n}", [f"{edges}/v1/ws"], chance.sample(self.streams, 2), seed=n, token=token)
            for n in range(VIEWERS)
        ]
        self._enough = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def session(self) -> ClientSession:
        """Somebody who trusts the balancer's certificate, and shows the token."""
        trusting = ssl.create_default_context(cafile=str(self._certificate))
        return ClientSession(
            timeout=ClientTimeout(total=15),
            connector=TCPConnector(ssl=trusting),
            headers={"Authorization": f"Bearer {self._token}"},
        )

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """While they post and watch."""
        loop = asyncio.get_running_loop()
        self._posting = loop.create_task(self.poster.run(self._enough))
        self._tasks = [self._posting, *(loop.create_task(w.run()) for w in self.watchers)]
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def still_there(self) -> None:
        """Raises what somebody has ended with although nobody told them to."""
        for task in self._tasks:
            if task.done() and (error := task.exception()) is not None:
                raise error

    @property
    def acknowledged(self) -> int:
        return sum(len(keys) for keys in self.poster.acknowledged.values())

    @property
    def shown(self) -> int:
        return sum(len(v.seen) for w in self.watchers for v in w.viewings)

    async def proceed(self, events: int, within_s: float) -> float:
        """Wait until so many events more are acknowledged; how long that took."""
        loop = asyncio.get_running_loop()
        begun, wanted = loop.time(), self.acknowledged + events
        while self.acknowledged < wanted:
            self.still_there()
            if loop.time() - begun > within_s:
                raise AssertionError(f"{events} events were not taken within {within_s:.0f} s")
            await asyncio.sleep(0.05)
        return loop.time() - begun

    async def flood(self, events: int) -> None:
        """Post so many at once, into a channel that nobody watches."""
        body = b"".join(b'{"data": {"text": "flood %d"}}\n' % n for n in range(events))
        headers = {"Content-Type": "application/x-ndjson"}
        url = f"{self.url}/v1/streams/chat/flood/events"
        async with self.session() as http:
            timeout = ClientTimeout(total=_REST_S)
            async with http.post(url, data=body, headers=headers, timeout=timeout) as answer:
                assert answer.status == HTTPStatus.ACCEPTED, await answer.text()

    async def findings(self) -> dict[str, list[str]]:
        """Post no more, let everybody arrive, and compare: what is wrong, by promise."""
        self._enough.set()
        for watcher in self.watchers:
            watcher.stay()
        async with asyncio.timeout(_REST_S):
            await self._posting
        async with self.session() as http:
            reader = Reader(http, self.url)

            async def history() -> Log:
                return {s: await reader.history(Stream.parse(s)) for s in self.streams}

            log: dict[str, Sequence[Seen]] = {}

            async def arrived() -> list[str]:
                # Nothing is posted any more: what was read last is all there is.
                log.update(await history())
                places = [invariants.Watched(w.name, s, w.at(s)) for w in self.watchers for s in w.watched]
                return invariants.everything_is_whole(invariants.Standing(places=places), log)

            late = await until_right(arrived)

            async def indexed() -> list[str]:
                found = {s: await reader.found(Stream.parse(s)) for s in self.streams}
                return invariants.all_agree({"the index": found}, log)

            kept = {s: keys for s, keys in self.poster.acknowledged.items() if s in self.streams}
            posted = {s: keys for s, keys in self.poster.posted.items() if s in self.streams}
            viewings = [viewing for watcher in self.watchers for viewing in watcher.viewings]
            return {
                "everybody arrives at the head": late,
                "nothing acknowledged is lost or doubled": invariants.acknowledged_is_not_lost(kept, log),
                "the log has the producer's order": invariants.order_is_that_of_the_producer(posted, log),
                "each viewer sees each event once, in order": invariants.viewers_see_each_event_once(
                    viewings, log
                ),
                "search finds what history holds": await until_right(indexed),
            }

    async def past(self) -> Log:
        """What history holds, as somebody reads it who has just come."""
        async with self.session() as http:
            reader, log = Reader(http, self.url), {}

            async def read() -> list[str]:
                log.update({s: await reader.history(Stream.parse(s)) for s in self.streams})
                return []

            if wrong := await until_right(read):
                raise AssertionError(wrong[0])
            return log

    async def status(self, path: str, **options: Any) -> int:
        """What the address answers, by number."""
        async with self.session() as http, http.get(f"{self.url}{path}", **options) as answer:
            await answer.read()
            return answer.status
