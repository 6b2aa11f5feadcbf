"""Those who take down what happens: viewers, who asks the gateway, and at rest log, history and index."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from chaos.invariants import Log, Missing, Piece, Seen, Viewing
from chaos.parts.changing import read_whole
from consumers.client.viewer import Gap, Start, Viewer
from kernel.errors import TouchlineError
from kernel.log.positions import Stream
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec

_STAY_S: Final = 25.0
_PAGE: Final = 500
_ASK_S: Final = 10.0
_ASK_EVERY_S: Final = 0.5


class Watcher:
    """One viewer of some streams, who goes away now and then and comes back with the cursors."""

    def __init__(
        self, name: str, urls: Sequence[str], watched: Sequence[str], seed: int, token: str | None = None
    ) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - to be had again
        self._urls = self._chance.sample(list(urls), len(urls))
        self.name, self.watched, self._token = name, tuple(watched), token
        self._seen: dict[str, list[Seen]] = {stream: [] for stream in watched}
        self._told: dict[str, list[Missing]] = {stream: [] for stream in watched}
        self._steady = asyncio.Event()
        #: Keep only the cursor: in a long run without a comparison at its end.
        self.forget_what_was_seen = False

    def stay(self) -> None:
        """Go away no more."""
        self._steady.set()

    @property
    def viewings(self) -> list[Viewing]:
        """What the viewer was shown."""
        return [Viewing(self.name, s, 0, self._seen[s], self._told[s]) for s in self.watched]

    def at(self, stream: str) -> int:
        """The viewer's cursor."""
        seen, told = self._seen[stream], self._told[stream]
        return max(seen[-1].seq if seen else 0, told[-1].until if told else 0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            async with Viewer(self._urls, token=self._token, seed=self._chance.randrange(1 << 30)) as viewer:
                stays = asyncio.create_task(self._stays())
                reads = [asyncio.create_task(self._read(viewer, stream)) for stream in self.watched]
                try:
                    done, _ = await asyncio.wait([stays, *reads], return_when=asyncio.FIRST_COMPLETED)
                    for ended in done:
                        ended.result()
                finally:
                    for task in (stays, *reads):
                        task.cancel()
                    await asyncio.gather(stays, *reads, return_exceptions=True)

    async def _stays(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._steady.wait(), self._chance.expovariate(1 / _STAY_S))
        if self._steady.is_set():
            await asyncio.Event().wait()

    async def _read(self, viewer: Viewer, stream: str) -> None:
        async with contextlib.aclosing(viewer.items(stream, Start(after=self.at(stream)))) as items:
            async for item in items:
                if isinstance(item, Gap):
                    self._told[stream].append(Missing(item.after, item.seq))
                else:
                    if self.forget_what_was_seen:
                        self._seen[stream].clear()
                    self._seen[stream].append(Seen(item.seq, item.key or "", item.sender or ""))


def read_log(settings: Settings) -> Log:
    """The accepted events of all streams, by the rule of every reader: what is not newer is a repetition."""
    found: defaultdict[str, list[Seen]] = defaultdict(list)
    for kind, topic in topic_names(settings).events.items():
        codec = Codec(f"event-{kind}")
        for message in read_whole(settings, topic):
            event = codec.decode(message.value() or b"")
            seen = found[f"{kind}:{event['channel']}"]
            if not seen or event["seq"] > seen[-1].seq:
                seen.append(Seen(event["seq"], event["key"] or "", event["sender"] or ""))
    return found


class Reader:
    """Asks the gateway, as anybody would."""

    def __init__(self, http: ClientSession, gateway: str) -> None:
        self._http, self._gateway = http, gateway

    async def page(self, stream: Stream, after: int, limit: int) -> tuple[list[Seen], bool]:
        """A page of a stream's past, and whether there is more."""
        path = f"/v1/streams/{stream.kind}/{stream.channel}/events"
        page = await self._get(path, after=after, limit=limit)
        return [_seen(event) for event in page["events"]], page["more"]

    async def history(self, stream: Stream) -> list[Seen]:
        """A stream's whole past, page by page."""
        found: list[Seen] = []
        more = True
        while more:
            page, more = await self.page(stream, found[-1].seq if found else 0, _PAGE)
            found += page
        return found

    async def found(self, stream: Stream) -> list[Seen]:
        """What a search for everything in a stream finds, in order."""
        found: list[Seen] = []
        asked: dict[str, Any] = {
            "kind": str(stream.kind), "channel": stream.channel, "sort": "oldest", "limit": 100,
        }  # fmt: skip
        while True:
            page = await self._get("/v1/search", **asked)
            found += [_seen(hit["event"]) for hit in page["hits"]]
            if page["next"] is None:
                return sorted(found)
            asked["cursor"] = page["next"]

    async def searched(self, stream: Stream) -> None:
        """A search, of whose answer nothing is expected but that it is one."""
        await self._get("/v1/search", kind=str(stream.kind), channel=stream.channel, limit=10)

    async def viewers(self, stream: Stream) -> int:
        """How many watch a stream, as everybody is told."""
        state = await self._get(f"/v1/streams/{stream.kind}/{stream.channel}")
        return int(state["viewers"])

    async def _get(self, path: str, **query: object) -> Any:
        asked = {name: str(value) for name, value in query.items()}
        async with self._http.get(f"{self._gateway}{path}", params=asked) as response:
            body = await response.json(content_type=None)
            if response.status != 200:
                raise TouchlineError("unavailable", f"{path} answered {response.status}: {body}")
            return body


def _seen(event: Mapping[str, Any]) -> Seen:
    return Seen(event["seq"], event.get("key") or "", event.get("sender") or "")


class Asker:
    """Somebody who reads history and searches while things break: a page here, a page there."""

    def __init__(self, gateway: str, asked: Sequence[str], chance: random.Random) -> None:
        self._gateway, self._asked, self._chance = gateway, asked, chance
        #: What history answered. What could not be answered is no finding: it was said.
        self.pieces: list[Piece] = []
        self.unanswered = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with ClientSession(timeout=ClientTimeout(total=_ASK_S)) as http:
            reader, at = Reader(http, self._gateway), dict.fromkeys(self._asked, 0)
            while True:
                stream = self._chance.choice(self._asked)
                try:
                    events, more = await reader.page(Stream.parse(stream), at[stream], 50)
                    self.pieces.append(Piece(stream, at[stream], events))
                    # At the end the viewer begins anew: what came into the index since is read from there.
                    at[stream] = events[-1].seq if events and more else 0
                    await reader.searched(Stream.parse(stream))
                except (TouchlineError, ClientError, OSError, TimeoutError):
                    self.unanswered += 1
                await asyncio.sleep(_ASK_EVERY_S)
