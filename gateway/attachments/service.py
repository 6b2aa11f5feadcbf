"""Attachments at a gateway: who may name them, who has fetched them, and what of them goes when."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from control.attachments.references import Facts, Mark, Marks, encoded, fetched_key, not_there
from gateway.attachments.store import Store
from kernel.attachment_ids import made_at
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.positions import Stream, split_lane
from kernel.log.topics import DAY_MS
from kernel.settings.reading import Attachments
from schemas.codec import Codec

#: Writes marks (key and value) to their topic, until Kafka has them.
WriteMarks = Callable[[Sequence[tuple[bytes, bytes | None]]], Awaitable[None]]
#: A stream's readers, with their devices; None: nobody knows them all.
ReadersOf = Callable[[str], Mapping[str, Collection[str]] | None]
#: Who deletes waits for so much longer than who publishes is told: what was let in just in time has come.
_MARGIN: Final = 0.1


class AttachmentService:
    """What routes, doors and the janitor do with attachments."""

    def __init__(
        self,
        settings: Attachments,
        clock: Clock,
        store: Store,
        marks: Marks,
        *,
        codec: Codec,
        write: WriteMarks,
    ) -> None:
        self.settings, self.store, self.marks = settings, store, marks
        self._clock, self._codec, self._write = clock, codec, write
        self.readers_of: ReadersOf = lambda _: None

    # ── times ──────────────────────────────────────────────────────────────────────────────────────────

    def over(self, attachment: str) -> bool:
        """Whether its days are over."""
        return made_at(attachment) < self.days_end_ms

    @property
    def days_end_ms(self) -> int:
        """What was made before this is gone."""
        return self._clock.now_ms() - round(self.settings.days * DAY_MS)

    @property
    def orphans_end_ms(self) -> int:
        """What was made before this, and is named by no message, is gone."""
        return self._clock.now_ms() - round(self.settings.unpublished_s * 1000 * (1 + _MARGIN))

    # ── who may name it ────────────────────────────────────────────────────────────────────────────────

    async def check(
        self, attachments: Sequence[str], stream: Stream, user: str | None, *, anybodys: bool
    ) -> None:
        """Raise where this user may not put these on a message of this stream: `not_found`, `expired`.

        `anybodys`: whether they speak for others there.
        """
        base = str(Stream(stream.kind, split_lane(stream.channel)[0]))
        found = await asyncio.gather(*map(self.store.find, attachments))
        for attachment, facts in zip(attachments, found, strict=True):
            mine = facts is not None and facts.stream == base and (anybodys or facts.owner == user)
            if not mine:
                raise not_there(attachment)
            late_ms = self._clock.now_ms() - self.settings.unpublished_s * 1000
            if self.over(attachment) or (made_at(attachment) < late_ms and not self.marks.posted(attachment)):
                raise TouchlineError(
                    "expired",
                    f"The attachment {attachment} was made too long ago to be put on a message.",
                    hint="Upload it again.",
                )

    # ── who has it ─────────────────────────────────────────────────────────────────────────────────────

    async def fetched(self, attachment: str, facts: Facts, user: str, device: str) -> None:
        """This device has it. It goes when all have it, of those streams whose readers are known."""
        if user not in (self.readers_of(facts.stream) or {}):
            return
        mark = Mark(what="fetched", stream="", user=user, device=device, at=self._clock.now_ms())
        await self._write([(fetched_key(attachment, user, device), encoded(mark, self._codec))])
        await self.delete_if_all_have(attachment, facts, {(user, device)})

    async def delete_if_all_have(
        self, attachment: str, facts: Facts, besides: Collection[tuple[str, str]] = ()
    ) -> bool:
        """Whether it went: each device of each reader has it, as is known here, and `besides` have."""
        readers = self.readers_of(facts.stream)
        if readers is None:
            return False
        have = {*self.marks.fetched(attachment), *besides, (facts.owner or "", facts.device)}
        # Of a reader without a device nobody knows where they will come from: then its days decide.
        if not all(of_user and all((u, d) in have for d in of_user) for u, of_user in readers.items()):
            return False
        await self.delete(attachment)
        return True

    # ── what goes ──────────────────────────────────────────────────────────────────────────────────────

    async def delete(self, attachment: str) -> None:
        """Take it away, and then what is known of it: if this ends in between, it is done again."""
        await self.store.delete(attachment)
        await self.forget([key for key, _ in self.marks.of(attachment)])

    async def forget(self, keys: Sequence[bytes]) -> None:
        """These marks mean nothing any more."""
        if keys:
            await self._write([(key, None) for key in keys])


def facts_in(text: str) -> Facts | None:
    """Facts as an address says them."""
    try:
        return msgspec.json.decode(bytes.fromhex(text), type=Facts)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
