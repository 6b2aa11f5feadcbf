"""What reads the log of broadcasts beside the fan-out, for edges that have only a part of that."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from consumers.cluster.assignment import all_of
from consumers.cluster.reader import Reader
from consumers.delivery.records import Decode
from consumers.feeds.broadcasts import Broadcasts
from consumers.feeds.feeds import FeedRequests, History
from consumers.feeds.live_notices import LooksHere
from consumers.service.tasks import Tasks
from control.commands.sending import CommandSender
from control.outlets.looking import Looks
from control.state import ControlState
from kernel.access.signing import Signer
from kernel.clock import Clock
from kernel.fairness.budgets import DoorBudgets
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for


def feeds_of(
    settings: Settings,
    decode: Decode,
    state: ControlState,
    *,
    history: History,
    budgets: DoorBudgets,
    tasks: Tasks,
) -> FeedRequests:
    """The feeds of an edge; in a cell what comes is read from the log, once somebody waits."""
    clock = state.clock
    broadcasts = Broadcasts(decode, codec_for(settings, "event-broadcast"), reads_all=not settings.edge.cell)
    broadcasts.read_log = partial(_reader, settings, asyncio.get_running_loop(), clock)
    return FeedRequests(
        state=state, history=history, broadcasts=broadcasts, budgets=budgets, clock=clock, spawn=tasks.spawn
    )


def looks_of(settings: Settings, state: ControlState, broadcasts: Broadcasts, tasks: Tasks) -> LooksHere:
    """Who here hears what they are told, and is told of what goes live."""
    commands = CommandSender(settings, state.clock)

    async def command(key: str, name: str, arguments: Mapping[str, Any], actor: str | None) -> None:
        await commands.send(key, name, arguments, actor=actor)

    return LooksHere(state, broadcasts, Looks(state, command, Signer(settings.auth)), tasks)


def _reader(
    settings: Settings, loop: asyncio.AbstractEventLoop, clock: Clock, broadcasts: Broadcasts
) -> Reader:
    config = client_config(
        settings,
        group_id=f"{settings.topics.prefix}-feeds",  # never joined: partitions are assigned by hand
        enable_auto_commit=False,
        fetch_wait_max_ms=100,
        fetch_error_backoff_ms=50,
        queued_max_messages_kbytes=16_384,
        fetch_queue_backoff_ms=10,
    )
    topic = topic_names(settings).events[Kind.BROADCAST]
    tick_s = settings.edge.tick_ms / 1000
    reader = Reader(config, all_of({topic: 0}), tick_s=tick_s, listener=broadcasts, loop=loop, clock=clock)
    reader.start()
    return reader
