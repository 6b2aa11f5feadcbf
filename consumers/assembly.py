"""An edge's parts, put together from its settings: what it holds, and what it does for viewers."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from consumers.cluster.acknowledgements import PlaceBook
from consumers.cluster.heartbeat import Heartbeat
from consumers.cluster.partitions import ServedPartitions
from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Hub
from consumers.delivery.records import reader_for
from consumers.delivery.traces import EdgeTraces, TracedBook, open_traces
from consumers.feeds.feeds import FeedRequests, History
from consumers.feeds.reading import feeds_of, looks_of
from consumers.messenger.messenger import Messenger
from consumers.messenger.signals import Signals
from consumers.nearby.positions import Positions
from consumers.nearby.visibility import Looking
from consumers.service.admission import Admission
from consumers.service.attachments import AskAttachments
from consumers.service.ops.acknowledgements import PlaceRequests
from consumers.service.ops.crowd import CrowdRequests
from consumers.service.ops.crowd import Poster as CrowdPoster
from consumers.service.ops.nearby import NearbyRequests
from consumers.service.ops.publishing import Attachments, Poster, Publishing
from consumers.service.ops.requests import Audience, Requests
from consumers.service.ops.rooms import Commands, RoomRequests
from consumers.service.ops.subscriptions import Partitions, Subscriptions
from consumers.service.poster import KafkaPoster
from consumers.service.service import Service
from consumers.service.tasks import Tasks
from consumers.service.tokens import tokens_of
from consumers.transport.handshake import PATH
from control.commands.answers import Answers, Asking
from control.commands.sending import CommandSender
from control.edges.budget_shares import DoorShares
from control.state import ControlState
from kernel.access.hosts import loopback_origins
from kernel.access.signing import Signer
from kernel.access.tokens import Grants, is_loopback
from kernel.clock import Clock
from kernel.fairness.budgets import DoorBudgets
from kernel.fairness.concurrency import Slots
from kernel.fairness.turns import Turns
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.registry import codec_for


class Parts(NamedTuple):
    """What an edge is made of."""

    service: Service
    hub: Hub
    looking: Looking
    poster: KafkaPoster
    answers: Answers
    attachments: AskAttachments
    heartbeat: Heartbeat
    served: ServedPartitions
    places: PlaceBook
    shares: DoorShares
    signals: Signals
    #: None where nothing is traced.
    traces: EdgeTraces | None


class DoorPoster(Poster, CrowdPoster, Protocol):
    """Posts what viewers publish, and what they react."""


class Surroundings(NamedTuple):
    """What an edge's service rests on: the log and what is known beside it, and who asks others."""

    state: ControlState
    history: History
    hub: Hub
    served: Partitions
    poster: DoorPoster
    answers: Asking
    commands: Commands
    attachments: Attachments
    counts: Audience
    book: PlaceBook
    budgets: DoorBudgets
    admission: Admission
    signals: Signals
    looking: Looking
    feeds: FeedRequests
    tasks: Tasks
    turns: Turns
    #: How many subscriptions of a user other doors have.
    elsewhere: Callable[[Grants], int] = lambda _: 0
    traces: EdgeTraces | None = None


def service_of(settings: Settings, clock: Clock, around: Surroundings) -> Service:
    """What is done for viewers, by these."""
    edge, state, history = settings.edge, around.state, around.history
    poster, answers, budgets, tasks = around.poster, around.answers, around.budgets, around.tasks
    traces, book = around.traces, around.book
    subscriptions = Subscriptions(
        around.hub,
        Backfill(history),
        state,
        around.served,
        most_of_a_user=edge.max_subscriptions_per_user,
        elsewhere=around.elsewhere,
        now_ms=clock.now_ms,
    )
    requests = Requests(
        history=history,
        readers=state.readers,
        rooms=state.rooms,
        counts=around.counts,
        budgets=budgets,
        pages=Slots.of_pages(settings.limits),
        page_bytes=settings.limits.page_bytes,
    )
    rooms = RoomRequests(
        state.rooms,
        poster=poster,
        answers=answers,
        commands=around.commands,
        history=history,
        budgets=budgets,
        clock=clock,
        most=settings.limits.rooms_of_a_user,
    )
    acked = book if traces is None else TracedBook(book, traces)
    places = PlaceRequests(history=history, readers=state.readers, rooms=state.rooms, book=acked)
    publishing = Publishing(
        poster=poster,
        history=history,
        channels=state,
        answers=answers,
        budgets=budgets,
        attachments=around.attachments,
        signer=Signer(settings.auth),
        tracing=None if traces is None else traces.tracing,
    )
    return Service(
        edge,
        clock,
        around.admission,
        subscriptions,
        publishing,
        requests,
        around.turns,
        rooms,
        places,
        Messenger(
            service=rooms.service,
            history=history,
            book=book,
            places=places,
            requests=requests,
            subscriptions=subscriptions,
            admission=around.admission,
            signals=around.signals,
            looks=looks_of(settings, state, around.feeds.broadcasts, tasks),
            viewers=around.counts.viewers,
            crowd=state.crowd,
            clock=clock,
            tasks=tasks,
        ),
        NearbyRequests(settings.nearby, around.looking, publishing, state.consent, budgets),
        around.feeds,
        CrowdRequests(*(settings, clock, state, history), by=(poster, answers), budgets=budgets),
        tasks,
    )


def parts_of(settings: Settings, clock: Clock, name: str, *, history: History, state: ControlState) -> Parts:
    """The parts of the edge of this name. Nothing reads or listens yet."""
    edge, names = settings.edge, topic_names(settings)
    decode = reader_for(settings)
    traces = open_traces(settings, clock, decode)
    rings = {"ring_events": edge.ring_events, "ring_bytes": edge.ring_bytes}
    hub = Hub(decode, **rings, selective=names.fanout_location)
    positions = Positions.of_hub(hub, clock, settings.nearby.inactive_s)
    now_ms = state.presence.broker_ms
    looking = Looking(settings.nearby, clock, state.consent, positions, decode, now_ms=now_ms)
    poster = KafkaPoster(settings, asyncio.get_running_loop())
    answers = Answers(settings)
    attachments = AskAttachments(settings, clock)
    heartbeat = Heartbeat(
        edge=name,
        cell=edge.cell or name,
        url=edge.public_url or f"{'wss' if edge.tls_cert else 'ws'}://{edge.host}:{edge.port}{PATH}",
        hub=hub,
        clock=clock,
        codec=codec_for(settings, "presence"),
        presence=state.presence,
    )
    served = ServedPartitions(names, heartbeat.owner)
    acks, write = codec_for(settings, "ack"), partial(poster.post_soon, names.acks)
    book = PlaceBook(clock, acks, write, state.rooms.inboxes, state.rooms.erased_at)
    budgets = DoorBudgets(settings.limits, clock)
    shares = DoorShares(budgets, clock, codec_for(settings, "share"))
    admission = Admission(
        edge,
        tokens_of(settings, clock, state.revocations, new_id=partial(secrets.token_urlsafe, 12)),
        name=name,
        cell=heartbeat.cell,
        on_loopback=is_loopback(edge.host),
        clock=clock,
        pages=loopback_origins(settings.gateway.port),
        elsewhere=partial(shares.elsewhere, "connections"),
    )
    tasks = Tasks()
    around = Surroundings(
        state=state,
        history=history,
        hub=hub,
        served=served,
        poster=poster,
        answers=answers,
        commands=CommandSender(settings, clock),
        attachments=attachments,
        counts=heartbeat,
        book=book,
        budgets=budgets,
        admission=admission,
        signals=Signals(clock, codec_for(settings, "signal"), partial(poster.post_soon, names.signals)),
        looking=looking,
        feeds=feeds_of(settings, decode, state, history=history, budgets=budgets, tasks=tasks),
        tasks=tasks,
        turns=Turns(clock),
        elsewhere=partial(shares.elsewhere, "subscriptions"),
        traces=traces,
    )
    service = service_of(settings, clock, around)
    shares.holds("connections", service.admission.users, edge.max_connections_per_user)
    shares.holds("subscriptions", service.subscriptions.of_users, edge.max_subscriptions_per_user)
    return Parts(
        *(service, hub, looking, poster, answers, attachments),
        *(heartbeat, served, book, shares, around.signals, traces),
    )
