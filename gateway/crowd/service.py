"""How the gateway posts reactions and votes, and asks what they come to."""

from aiohttp import web

from control.crowd.service import By, CrowdService
from gateway.context import Context
from kernel.access.signing import Signer
from kernel.log.positions import Stream
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from producers.sending.delivery import SomeNotDelivered
from schemas.registry import codec_for


def crowd_service(context: Context) -> CrowdService:
    """The door of this gateway."""
    topic, producer = topic_names(context.settings).reactions, context.producer
    patience_s = context.settings.gateway.patience_s

    async def post(stream: Stream, value: bytes, headers: Headers) -> None:
        records = [(topic, stream.channel.encode(), value)]
        done = await producer.submit_many(
            records, lambda record: record, patience_s=patience_s, headers=headers or None
        )
        try:
            await done
        except SomeNotDelivered as some:
            raise some.failures[0].error from None

    async def ask(stream: Stream, value: bytes, headers: Headers) -> None:
        await producer.accepted((topic, stream.channel.encode(), value), headers)

    producer.answers.begin()
    service = CrowdService(
        *(context.control_state, context.history),
        via=b"gateway",
        codec=codec_for(context.settings, "reaction"),
        signer=Signer(context.settings.auth),
        clock=context.clock,
        post=post,
        ask=ask,
        take_read=context.budgets.take_read,
    )
    context.stack.push_async_callback(service.sums.close)
    return service


async def by_of(context: Context, request: web.Request, stream: Stream) -> By:
    """Whoever asks, of those who may read the stream. Raises."""
    caller = await context.access.require(request, "subscribe", str(stream))
    grants = await context.access.grants(request)
    bound = context.budgets.bound(caller.bound, admin=False)
    return By(grants, caller.user, bound)
