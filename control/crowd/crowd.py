"""What a role asks of reactions and polls: totals as they are here, and as of all that is on the log now.

A role's tables lag behind the log by a moment. Whoever wants it exact asks Kafka how far the channel's
partition goes, and waits until the worker that folds it says (`$folded`) that it is that far: its totals are
here by then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from control.crowd.counters import Counters, counters_type
from control.crowd.totals import (
    KEYS,
    VOTES,
    Total,
    Voices,
    folded_key,
    parts_of,
    said_in,
    slot_of_key,
    total_key,
    total_type,
    voice_of,
    voices_type,
)
from control.entity.tables import Tables
from control.entity.types import AnyType
from control.entity.view import View
from kernel.errors import TouchlineError
from kernel.log.kafka import admin_client, client_config, unreachable
from kernel.log.positions import Stream, make_id, partition_of
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings

#: How long somebody waits for what is on the log to be counted.
WITHIN_S: Final = 2.0
_ANSWER_S: Final = 5.0
#: Parts of voices that are read at once: each has up to 48 kB.
_PARTS: Final = 64
#: Polls of a stream that are looked through for those that are open.
_MOST_POLLS: Final = 1000

#: Called with a stream, a slot of it, and its total.
OnChange = Callable[[str, str, Total | None], None]


class Crowd:
    """The totals that a role knows of, by its tables on disk."""

    def __init__(self, settings: Settings, *, owns: bool = False, voices: bool = False) -> None:
        """`owns`: the worker's, which closes polls; `voices`: whether it is asked who is behind them, and for
        counters."""
        self._settings = settings
        self._topic = topic_names(settings).reactions
        self._total = total_type(settings, listing=owns)
        self._voice = voices_type(settings) if owns or voices else None
        self._counters = counters_type(settings) if owns or voices else None
        self._tables: Tables | None = None
        self._admin: AdminClient | None = None
        self._next: asyncio.Task[Mapping[int, int]] | None = None
        self._one = asyncio.Lock()
        self._heard: dict[str, Callable[[bytes, Total | None], None]] = {}

    @property
    def types(self) -> list[AnyType]:
        """What its tables have to have."""
        return [one for one in (self._total, self._voice, self._counters) if one is not None]

    def open(self, tables: Tables) -> None:
        """Go by these tables."""
        self._tables = tables
        self.totals: View[Total] = tables.view(self._total)
        if self._voice is not None:
            self.voices: View[Voices] = tables.view(self._voice)
        if self._counters is not None:
            self.counters: View[Counters] = tables.view(self._counters)

    # ── as it is here ────────────────────────────────────────────────────────────────────────────────

    def total(self, stream: Stream, target: str = "") -> Total | None:
        """What reactions to a stream, or to an event of it, have come to."""
        return None if self._tables is None else self.totals.get(total_key(stream, target))

    def counted(self, stream: Stream, target: str = "") -> Total | None:
        """The same with all that was counted when `as_of_now` returned: that may have been read on the disk
        before what is held here was told of it."""
        return self.totals.on_disk(total_key(stream, target))

    def poll(self, stream: Stream, poll: str, *, counted: bool = False) -> Total | None:
        """A poll with its counts; None where there is none, or where it was taken back."""
        found = self.counted(stream, VOTES + poll) if counted else self.total(stream, VOTES + poll)
        return None if found is None or found.poll is None or found.retracted else found

    def standing(self, stream: Stream, since_ms: int, most: int) -> list[tuple[str, Total]]:
        """What there is to show of a stream to who comes: its applause, reactions to events that are not
        older than this, and the latest open polls."""
        if self._tables is None:
            return []
        found = [] if (total := self.total(stream)) is None else [("", total)]
        oldest = total_key(stream, make_id(stream.kind, since_ms, 0, 0))
        for key, one in self.totals.scan(total_key(stream, ""), after=oldest, limit=most):
            slot = slot_of_key(key)[1]
            if slot.isdigit() and not one.retracted:
                found.append((slot, one))
        prefix = after = total_key(stream, VOTES)
        polls = list[tuple[str, Total]]()
        while len(polls) < _MOST_POLLS and (page := self.totals.scan(prefix, after=after)):
            standing = ((slot_of_key(key)[1], total) for key, total in page)
            polls += [(slot, total) for slot, total in standing if _is_open(total)]
            after = page[-1][0]
        return found + polls[-most:]

    async def said_by(self, stream: Stream, slot: str, user: str) -> int:
        """What a user has said there, as their voice has it; 0: nothing. Of a million voices that is twenty
        milliseconds' work: others have their turn in between."""
        prefix, wanted, after, said = parts_of(total_key(stream, slot)), voice_of(user), b"", 0
        while page := self.voices.scan(prefix, after=after, limit=_PARTS):
            for _, part in page:
                found = said_in(part.entries, wanted)
                said = said if found is None else found
            after = page[-1][0]
            await asyncio.sleep(0)
        return said

    async def all_said_by(self, user: str) -> AsyncIterator[tuple[bytes, int]]:
        """All that a user has said anywhere, with the keys of the totals that it is in. All voices are gone
        through, with room for others in between."""
        wanted, after, said = voice_of(user), b"", dict[bytes, int]()
        while page := self.voices.scan(b"", after=after, limit=_PARTS):
            for key, part in page:
                total = key.rpartition(b"\0")[0]
                for done in [one for one in said if one != total]:
                    yield done, said.pop(done)
                if (found := said_in(part.entries, wanted)) is not None:
                    said[total] = found
            after = page[-1][0]
            await asyncio.sleep(0)
        for done, last in said.items():
            yield done, last

    def watch(self, channel: str, callback: OnChange) -> None:
        """`callback` at each change of a total of the channel's streams, until `unwatch`. One a channel."""

        def changed(key: bytes, total: Total | None) -> None:
            stream, slot = slot_of_key(key)
            if slot != KEYS:
                callback(stream, slot, total)

        if self._tables is not None:
            self._heard[channel] = changed
            self.totals.watch_pairs(channel, changed)

    def unwatch(self, channel: str) -> None:
        """End it."""
        if (changed := self._heard.pop(channel, None)) is not None:
            self.totals.unwatch_pairs(channel, changed)

    # ── as of what is on the log ─────────────────────────────────────────────────────────────────────

    async def as_of_now(self, channel: str, *, voices: bool = False) -> int:
        """Return once all that lies on the log now of a channel is counted here: the offset before which that
        is so. Raises `unavailable`."""
        ends = await self._ends()
        partition = partition_of(channel, len(ends))
        key, end = folded_key(partition).decode(), ends[partition]
        upto = await self._folded(self.totals, key, end)
        if voices:
            upto = min(upto, await self._folded(self.voices, key, end))
        return upto

    async def until(self, channel: str, holds: Callable[[], bool]) -> None:
        """Return when something holds of a channel's totals. Raises `unavailable` after two seconds."""
        if holds():
            return
        came = asyncio.Event()

        def changed(*_: Any) -> None:
            if holds():
                came.set()

        self.totals.watch_pairs(channel, changed)
        try:
            changed()
            await asyncio.wait_for(came.wait(), WITHIN_S)
        except TimeoutError:
            raise TouchlineError(
                "unavailable", "It has been taken, and is not in force yet: look again in a moment."
            ) from None
        finally:
            self.totals.unwatch_pairs(channel, changed)

    async def _folded(self, view: View[Any], key: str, end: int) -> int:
        came: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def look(_: bytes, state: Any) -> None:
            upto = 0 if state is None else state.folded
            if upto >= end and not came.done():
                came.set_result(upto)

        look(b"", view.watch(key, look))
        try:
            return await asyncio.wait_for(came, WITHIN_S)
        except TimeoutError:
            raise TouchlineError(
                "unavailable", "Not all that is on the log is counted yet: try again in a moment."
            ) from None
        finally:
            view.unwatch(key, look)

    async def _ends(self) -> Mapping[int, int]:
        """The ends of all partitions of reactions, as of now: who asks together is answered together."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._ask())
        return await asyncio.shield(self._next)

    async def _ask(self) -> Mapping[int, int]:
        async with self._one:
            self._next = None  # what comes from now on may not be in the answer
            try:
                return await asyncio.to_thread(self._ask_now)
            except (KafkaException, TimeoutError) as error:
                raise unreachable(self._settings, str(error)) from error

    def _ask_now(self) -> Mapping[int, int]:
        admin, self._admin = self._admin or admin_client(client_config(self._settings)), None
        described = admin.describe_topics(TopicCollection([self._topic]))[self._topic]
        numbers = [part.id for part in described.result(timeout=_ANSWER_S).partitions]
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        answers = admin.list_offsets({TopicPartition(self._topic, number): latest for number in numbers})
        ends = {at.partition: future.result(timeout=_ANSWER_S).offset for at, future in answers.items()}
        self._admin = admin  # one that has failed is not asked again
        return ends


def _is_open(total: Total) -> bool:
    return total.poll is not None and total.poll.closed is None and not total.retracted
