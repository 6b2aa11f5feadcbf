"""What is known of a user beside what they have posted, line by line: for who asks for their data."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from functools import partial
from typing import Any, Final

import msgspec

from control.crowd.crowd import Crowd
from control.crowd.totals import VOTES, names_said, slot_of_key
from control.inbox.tables import UserPlaces
from control.nearby.consent import Consent
from control.nearby.fences import shown as fence_shown
from gateway.attachments.service import AttachmentService
from kernel.attachment_ids import is_attachment
from kernel.clock import to_rfc3339
from search_indexer.alerts import Alert
from search_indexer.alerts import shown as alert_shown

#: Fences of one read: there may be a million of them.
_AT_ONCE: Final = 100


def devices_and_places(known: UserPlaces) -> Iterator[dict[str, Any]]:
    """Their devices; and of each stream how far they have read it, and how far each device has it."""
    names = {one.number: one.device for one in known.devices}
    for one in known.devices:
        yield {"what": "device", "device": one.device, "last_active": to_rfc3339(one.at)}
    for stream in known.streams():
        place = known.place(stream)
        acked = () if place is None else place.acked
        has = {names[one.device]: one.seq for one in acked if one.device in names}
        yield {"what": "place", "stream": stream, "read": known.read(stream).seq, "acked": has}


def alerts_of(alerts: Iterable[Alert], user: str) -> Iterator[dict[str, Any]]:
    """The queries that they have saved."""
    for alert in alerts:
        if alert.owner == user:
            yield {"what": "alert", "alert": alert_shown(alert)}


async def fences_of(consent: Consent, user: str) -> AsyncIterator[dict[str, Any]]:
    """The places that they have watched."""
    after, told = b"", set[str]()
    # Beside the loop: one with all the corners that there may be takes milliseconds.
    scan = partial(consent.fences.scan, b"", limit=_AT_ONCE) if consent.followed else None
    while scan is not None and (page := await asyncio.to_thread(scan, after=after)):
        after = page[-1][0]
        for _, fence in page:
            if fence.maker == user and fence.id not in told:
                told.add(fence.id)
                yield {"what": "fence", "fence": fence_shown(fence)}


async def reactions_of(crowd: Crowd, user: str) -> AsyncIterator[dict[str, Any]]:
    """What they have reacted to events with, and voted for. Of applause nobody knows whose it was."""
    async for key, said in crowd.all_said_by(user):
        total = crowd.totals.get(key)
        if total is None or total.retracted or not said:
            continue
        stream, slot = slot_of_key(key)
        if slot.startswith(VOTES):
            yield {"what": "vote", "stream": stream, "poll": slot.removeprefix(VOTES), "option": said - 1}
        else:
            yield {"what": "reaction", "stream": stream, "event": slot, "with": names_said(total, said)}


class _Data(msgspec.Struct, frozen=True):
    attachments: Any = None


class _Event(msgspec.Struct):
    data: _Data = _Data()


_event: Final = msgspec.json.Decoder(_Event).decode


async def attachments_of(service: AttachmentService, event: bytes) -> AsyncIterator[dict[str, Any]]:
    """What the attachments of an event of theirs are, as far as they are there still."""
    if b'"attachments"' not in event:
        return
    named = _event(event).data.attachments
    for attachment in filter(is_attachment, named if isinstance(named, list) else ()):
        facts = await service.store.find(attachment)
        if facts is not None:
            said = {"name": facts.name, "type": facts.type, "size": facts.size, "sha256": facts.sha256}
            yield {"what": "attachment", "attachment": attachment, "stream": facts.stream, **said}
