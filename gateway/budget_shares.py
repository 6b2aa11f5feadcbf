"""Tells the other doors what users took at this gateway, and hears what they took elsewhere."""

import asyncio

from control.edges.budget_shares import PUBLISH_S, DoorShares
from control.topic_tables.table import TopicTable
from gateway.context import Context
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.fairness.budgets import DoorBudgets
from kernel.log.topics import topic_names
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from producers.posts import Record
from schemas.registry import codec_for

_log = get_logger("touchline.gateway")
#: What finds no room on its way to Kafka for so long is not told: the next word comes soon.
_PATIENCE_S = 0.5


def shares_of(settings: Settings, clock: Clock, budgets: DoorBudgets) -> tuple[DoorShares, TopicTable]:
    """This gateway's shares, and the table from which they learn."""
    codec = codec_for(settings, "share")
    shares = DoorShares(budgets, clock, codec)
    return shares, TopicTable(topic_names(settings).shares, codec, shares.learn, whole=False)


async def share(context: Context, shares: DoorShares) -> None:
    """For as long as it runs."""
    topic = topic_names(context.settings).shares
    while True:
        await asyncio.sleep(PUBLISH_S)
        try:
            said: list[Record] = [(topic, key.encode(), value) for key, value in shares.records()]
            if said:
                await context.producer.submit_many(said, lambda record: record, patience_s=_PATIENCE_S)
        except TouchlineError as error:
            _log.warning("what users took was not told", why=error.message)
