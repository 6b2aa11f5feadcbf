"""What has to go: what is too old, what no message names, what was taken back, and what everybody has.

Each gateway does all of it: to delete what is deleted does nothing. Bytes go first, then what is known of
them, so whoever dies in between is followed by somebody who finds the rest.
"""

import asyncio
from typing import Final

from control.attachments.references import FETCHED, RETRACTED, Mark
from gateway.attachments.service import AttachmentService
from kernel.attachment_ids import first_of, is_attachment
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.long_work import LongWork
from kernel.process.logs import get_logger

_log = get_logger("touchline.attachments")
#: What fewer have to wait for is looked for less often.
_SELDOM_S: Final = 600.0
#: A retraction is remembered for so long: what its message says of attachments may come a moment later.
_RETRACTION_MS: Final = 10 * 60 * 1000
_AT_ONCE: Final = 100


class Janitor:
    """Looks for it, from time to time."""

    def __init__(self, service: AttachmentService, clock: Clock) -> None:
        self._service, self._clock = service, clock
        #: Up to which id it is known that a message names what is there.
        self._named = ""
        self._seldom_at = clock.monotonic()

    async def run(self) -> None:
        """For ever. What goes wrong is told, and tried again."""
        while True:
            await asyncio.sleep(self._service.settings.sweep_s)
            try:
                if self._service.marks.known:
                    await self.sweep()
            except TouchlineError as error:
                _log.warning("attachments could not be looked through", reason=error.message)
            except Exception:
                _log.exception("attachments could not be looked through")

    async def sweep(self) -> None:
        """Look once."""
        await self._retracted()
        await self._old()
        await self._orphans()
        if self._clock.monotonic() >= self._seldom_at:
            self._seldom_at = self._clock.monotonic() + _SELDOM_S
            await self._had_by_all()
            await self._service.store.tidy(self._clock.now_ms())

    async def _old(self) -> None:
        end = first_of(self._service.days_end_ms)
        while page := await self._service.store.listed("", end):
            for attachment in page:
                await self._service.delete(attachment)

    async def _orphans(self) -> None:
        end, work = first_of(self._service.orphans_end_ms), LongWork(self._clock)
        while page := await self._service.store.listed(self._named, end):
            for attachment in page:
                if not self._service.marks.posted(attachment):
                    await self._service.delete(attachment)
                await work.let_by()
            self._named = page[-1]

    async def _retracted(self) -> None:
        """What was taken back goes, unless another message has it too."""
        long_ago, over = self._clock.now_ms() - _RETRACTION_MS, list[bytes]()
        work = LongWork(self._clock)
        for number, (key, mark) in enumerate(await self._listed(RETRACTED), 1):
            taken_back = key.partition(b"\0")[0].decode("ascii", "replace")
            for place, named in self._service.marks.about(taken_back):
                attachment = place.rpartition(b"\0")[2].decode("ascii", "replace")
                if is_attachment(attachment) and named.stream == mark.stream:
                    await self._take_back(attachment, place, named)
            await work.let_by()
            if mark.at < long_ago:
                over.append(key)
            if number % _AT_ONCE == 0:
                await self._service.forget(over)
                over.clear()
        await self._service.forget(over)

    async def _listed(self, flag: int) -> list[tuple[bytes, Mark]]:
        """All marks of a sort: there may be many, so a thread collects them."""
        return await asyncio.to_thread(lambda: list(self._service.marks.listed(flag)))

    async def _take_back(self, attachment: str, place: bytes, named: Mark) -> None:
        marks = self._service.marks
        facts = await self._service.store.find(attachment)
        theirs = facts is None or facts.stream == named.stream  # of another stream it is not to be taken back
        if facts is not None and theirs and marks.posts(attachment, facts.stream):
            gone = [
                key for key, mark in marks.of(attachment) if mark.what == "posted" and marks.retracted(mark)
            ]
            await self._service.forget([*gone, place])
            return
        if theirs:
            await self._service.delete(attachment)
        await self._service.forget([place])

    async def _had_by_all(self) -> None:
        fetched = await self._listed(FETCHED)
        attachments = {key.partition(b"\0")[0].decode("ascii", "replace") for key, _ in fetched}
        for attachment in attachments:
            facts = await self._service.store.find(attachment)
            if facts is not None:
                await self._service.delete_if_all_have(attachment, facts)
            await asyncio.sleep(0)
