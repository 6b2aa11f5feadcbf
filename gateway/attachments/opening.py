"""Puts a gateway's attachments together: the store, the table of marks, what writes them, the janitor."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import cast

from control.attachments.references import Marks, mark_type
from control.entity.tables import Tables
from control.moderation.moderation import Moderation
from control.rooms.rooms import Rooms
from control.rooms.state import is_room
from gateway.attachments.directory import Directory
from gateway.attachments.janitor import Janitor
from gateway.attachments.service import AttachmentService
from gateway.attachments.store import Store
from kernel import extras
from kernel.access.presigned import UrlSigner
from kernel.clock import Clock
from kernel.log.positions import Stream
from kernel.settings.reading import Settings
from producers.posts import Record
from producers.producer import Producer
from schemas.registry import codec_for


async def open_attachments(
    settings: Settings,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    producer: Producer,
    rooms: Rooms,
    moderation: Moderation,
    failed: Callable[[BaseException], None],
) -> AttachmentService:
    """All of it, closed by `stack`. What is known of attachments may come later than the gateway is ready."""
    type_ = mark_type(settings)
    # A table of its own: nobody waits for it who asks for none of it.
    tables = Tables(settings, "attachments", [type_], clock=clock, on_failed=failed)
    tables.start()
    stack.push_async_callback(tables.stop)

    async def write(marks: Sequence[tuple[bytes, bytes | None]]) -> None:
        records = [(type_.topic, key, value) for key, value in marks]
        await (await producer.submit_many(records, lambda record: cast("Record", record)))

    store = await _store(settings, clock, stack)
    service = AttachmentService(
        settings.attachments,
        clock,
        store,
        Marks(tables.view(type_), moderation.erased_at),
        codec=codec_for(settings, "attachment"),
        write=write,
    )

    def devices_of(user: str) -> list[str]:
        return [one.device for one in rooms.inboxes.devices_of(user, clock.now_ms())]

    service.readers_of = partial(_readers_of, rooms, devices_of)
    sweeping = asyncio.create_task(Janitor(service, clock).run())
    stack.callback(sweeping.cancel)
    return service


def _readers_of(
    rooms: Rooms, devices_of: Callable[[str], Collection[str]], stream: str
) -> Mapping[str, Collection[str]] | None:
    """A room's members, with their devices. Of all other streams nobody knows who reads them."""
    parsed = Stream.parse(stream)
    room = rooms.of_channel(parsed.channel) if is_room(parsed) else None
    return None if room is None else {member.user: devices_of(member.user) for member in room.members}


async def _store(settings: Settings, clock: Clock, stack: AsyncExitStack) -> Store:
    if settings.attachments.store == "s3":
        extras.check("s3", "Attachments in a bucket")
        from gateway.attachments.s3 import Bucket  # noqa: PLC0415 - only who has a bucket has the library

        bucket = Bucket(settings.attachments, clock)
        await bucket.open(stack)
        return bucket
    directory = Directory(settings.attachments, UrlSigner(settings), clock)
    await directory.open()
    stack.callback(directory.close)
    return directory
