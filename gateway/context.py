"""What the gateway's routes are given: settings, clock, health, producer, and a stack for what they open."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from control.commands.sending import CommandSender
from control.state import ControlState
from control.topic_tables.follower import TableThread
from gateway.attachments.service import AttachmentService
from gateway.http.access import Access
from history import History
from kernel.clock import Clock
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.concurrency import Slots
from kernel.process.health import Health
from kernel.settings.reading import Settings
from producers.producer import Producer
from schemas.catalog import Catalog
from search_indexer.alerts import AlertBook


@dataclass(frozen=True, kw_only=True)
class Context:
    """Shared by all routes. What a module opens it enters on `stack`, which closes it at the end."""

    settings: Settings
    clock: Clock
    health: Health
    access: Access
    control_state: ControlState
    commands: CommandSender
    alerts: AlertBook
    following: TableThread
    history: History
    producer: Producer
    attachments: AttachmentService
    budgets: DoorBudgets
    #: Pages of history and hits that are on their way to clients.
    pages: Slots
    catalog: Catalog
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
