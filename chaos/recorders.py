"""Those who take down what happens: producers, viewers, and at rest the log, the history and the index."""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import ClientSession
from confluent_kafka import Consumer, TopicPartition

from chaos.invariants import Log, Missing, Seen, Viewing
from consumers.viewer import Gap, Start, Viewer
from kernel.errors import TouchlineError
from kernel.kafka import client_config
from kernel.positions import Stream
from kernel.settings import Settings
from kernel.topics import topic_names
from producers.posts import AnyPost, Broadcast, Chat, Location
from producers.producer import Producer
from schemas.codec import Codec

_STAY_S: Final = 25.0
_PAGE: Final = 500


def streams(channels: int) -> list[str]:
    """What is posted to and watched: of locations viewers see only the latest, so nobody counts those."""
    return [f"{kind}:arena-{number}" for number in range(channels) for kind in ("chat", "broadcast")]


class Poster:
    """Posts at a steady rate, and takes down what was posted and what Kafka has confirmed."""

    def __init__(self, settings: Settings, channels: int, per_s: float, chance: random.Random) -> None:
        self._settings, self._channels, self._per_s, self._chance = settings, channels, per_s, chance
        self.posted: defaultdict[str, list[str]] = defaultdict(list)
        self.acknowledged: defaultdict[str, list[str]] = defaultdict(list)
        self.failed: Counter[str] = Counter()

    async def run(self, until: asyncio.Event) -> None:
        """Until told to end; what is under way then is waited for."""
        loop, number = asyncio.get_running_loop(), 0
        begun, waiting = loop.time(), set()
        async with Producer(self._settings) as producer:
            while not until.is_set():
                number += 1
                post, stream, key = self._event(number)
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

    def _event(self, number: int) -> tuple[AnyPost, str, str]:
        channel, key = f"arena-{self._chance.randrange(self._channels)}", f"k{number}"
        match self._chance.choice(("chat", "chat", "broadcast", "location")):
            case "chat":
                return Chat(channel, f"message {number}", sender="ana", key=key), f"chat:{channel}", key
            case "broadcast":
                return (
                    Broadcast(channel, "score", {"number": number}, key=key),
                    f"broadcast:{channel}",
                    key,
                )
            case _:
                return Location(channel, 12.5, -70.0, sender="ana", key=key), f"location:{channel}", key


class Watcher:
    """One viewer of some streams, who goes away now and then and comes back with his cursors."""

    def __init__(self, name: str, urls: Sequence[str], watched: Sequence[str], seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - to be had again
        self._urls = self._chance.sample(list(urls), len(urls))
        self.name, self.watched = name, tuple(watched)
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
        """What he was shown."""
        return [Viewing(self.name, s, 0, self._seen[s], self._told[s]) for s in self.watched]

    def at(self, stream: str) -> int:
        """His cursor."""
        seen, told = self._seen[stream], self._told[stream]
        return max(seen[-1].seq if seen else 0, told[-1].until if told else 0)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            async with Viewer(self._urls, seed=self._chance.randrange(1 << 30)) as viewer:
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
                    self._seen[stream].append(Seen(item.seq, item.key or ""))


def read_log(settings: Settings) -> Log:
    """The accepted events of all streams, by the rule of every reader: what is not newer is a repetition."""
    found: defaultdict[str, list[Seen]] = defaultdict(list)
    for kind, topic in topic_names(settings).events.items():
        codec = Codec(f"event-{kind}")
        for value in _all(settings, topic):
            event = codec.decode(value)
            seen = found[f"{kind}:{event['channel']}"]
            if not seen or event["seq"] > seen[-1].seq:
                seen.append(Seen(event["seq"], event["key"] or ""))
    return found


def _all(settings: Settings, topic: str) -> list[bytes]:
    consumer = Consumer(client_config(settings, group_id="chaos-audit", enable_auto_commit=False))
    try:
        ends, values = {}, []
        for number in consumer.list_topics(topic, timeout=20).topics[topic].partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=20)
            if high > low:
                ends[number] = high
        consumer.assign([TopicPartition(topic, number, 0) for number in ends])
        while ends:
            came = consumer.consume(5000, 1.0)
            values += [message.value() or b"" for message in came if message.error() is None]
            for at in consumer.position([TopicPartition(topic, number) for number in ends]):
                if at.offset >= ends[at.partition]:
                    del ends[at.partition]
        return values
    finally:
        consumer.close()


class Reader:
    """Asks the gateway, as anybody would."""

    def __init__(self, http: ClientSession, gateway: str) -> None:
        self._http, self._gateway = http, gateway

    async def history(self, stream: Stream) -> list[Seen]:
        """A stream's whole past, page by page."""
        found: list[Seen] = []
        more = True
        while more:
            after = found[-1].seq if found else 0
            page = await self._get(
                f"/v1/streams/{stream.kind}/{stream.channel}/events", after=after, limit=_PAGE
            )
            found += [Seen(event["seq"], event.get("key", "")) for event in page["events"]]
            more = page["more"]
        return found

    async def found(self, stream: Stream) -> list[Seen]:
        """What a search for everything in a stream finds, in order."""
        found: list[Seen] = []
        asked: dict[str, Any] = {
            "kind": str(stream.kind), "channel": stream.channel, "sort": "oldest", "limit": 100,
        }  # fmt: skip
        while True:
            page = await self._get("/v1/search", **asked)
            found += [Seen(hit["event"]["seq"], hit["event"].get("key", "")) for hit in page["hits"]]
            if page["next"] is None:
                return sorted(found)
            asked["cursor"] = page["next"]

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
