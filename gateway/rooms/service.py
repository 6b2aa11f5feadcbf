"""How the gateway posts changes of rooms and what is said in them: signed, in its users' names."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from control.rooms.rooms import WITHIN_S
from control.rooms.service import RoomService, Who
from gateway.context import Context
from kernel.access.signing import Signer
from kernel.log.positions import Kind
from kernel.log.records import VIA
from kernel.log.topics import topic_names
from schemas.registry import codec_for


def room_service(context: Context) -> RoomService:
    """The rooms of this gateway."""
    topic, codec = topic_names(context.settings).ingest[Kind.CHAT], codec_for(context.settings, "ingest-chat")
    signer = Signer(context.settings.auth)

    async def post(who: Who, channel: str, event: dict[str, Any]) -> int:
        value = codec.encode(event)
        bound = bound_of(context, who)
        context.budgets.take_event(bound, len(value))
        headers = signer.headers(Kind.CHAT, channel, value) or []
        if bound is not None:
            headers = [*headers, (VIA, b"gateway")]
        delivered = await context.producer.accepted(
            (topic, channel.encode(), value), headers, within_s=WITHIN_S
        )
        return delivered.seq or 0

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await context.commands.send(key, name, arguments, actor=actor)

    context.producer.answers.begin()
    most = context.settings.limits.rooms_of_a_user
    return RoomService(context.control_state.rooms, post, command, context.clock, most=most)


async def who_asks(context: Context, request: web.Request) -> Who:
    """Whoever asks. Raises `unauthorized`."""
    return Who(await context.access.grants(request))


def bound_of(context: Context, who: Who) -> str | None:
    """Whose budgets it counts for."""
    return context.budgets.bound(who.user, admin=who.grants.allows("admin", "*"))
