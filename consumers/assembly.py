"""An edge's parts, put together from its settings: what it holds, and what it does for viewers."""

import asyncio
import secrets
from functools import partial
from typing import NamedTuple

from consumers.cluster.acknowledgements import PlaceBook
from consumers.cluster.heartbeat import Heartbeat
from consumers.cluster.partitions import ServedPartitions
from consumers.delivery.backfill import Backfill
from consumers.delivery.hub import Hub
from consumers.delivery.records import reader_for
from consumers.delivery.traces import EdgeTraces, TracedBook, open_traces
from consumers.feeds.feeds import History
from consumers.feeds.reading import feeds_of, looks_of
from consumers.messenger.messenger import Messenger
from consumers.messenger.signals import Signals
from consumers.nearby.positions import Positions
from consumers.nearby.visibility import Looking
from consumers.service.admission import Admission
from consumers.service.attachments import AskAttachments
from consumers.service.ops.acknowledgements import PlaceRequests
from consumers.service.ops.crowd import CrowdRequests
from consumers.service.ops.nearby import NearbyRequests
from consumers.service.ops.publishing import Publishing
from consumers.service.ops.requests import Requests
from consumers.service.ops.rooms import RoomRequests
from consumers.service.ops.subscriptions import Subscriptions
from consumers.service.poster import KafkaPoster
from consumers.service.service import Service
from consumers.service.tasks import Tasks
from consumers.service.tokens import tokens_of
from consumers.transport.handshake import PATH
from control.commands.answers import Answers
from control.commands.sending import CommandSender
from control.edges.budget_shares import DoorShares
from control.state import ControlState
from kernel.access.hosts import loopback_origins
from kernel.access.signing import Signer
from kernel.access.tokens import is_loopback
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
    subscriptions = Subscriptions(
        hub,
        Backfill(history),
        state,
        served,
        most_of_a_user=edge.max_subscriptions_per_user,
        elsewhere=partial(shares.elsewhere, "subscriptions"),
        now_ms=clock.now_ms,
    )
    requests = Requests(
        history=history,
        readers=state.readers,
        rooms=state.rooms,
        counts=heartbeat,
        budgets=budgets,
        pages=Slots.of_pages(settings.limits),
        page_bytes=settings.limits.page_bytes,
    )
    rooms = RoomRequests(
        state.rooms,
        poster=poster,
        answers=answers,
        commands=CommandSender(settings, clock),
        history=history,
        budgets=budgets,
        clock=clock,
        most=settings.limits.rooms_of_a_user,
    )
    acked = book if traces is None else TracedBook(book, traces)
    places = PlaceRequests(history=history, readers=state.readers, rooms=state.rooms, book=acked)
    tasks = Tasks()
    feeds = feeds_of(settings, decode, state, history=history, budgets=budgets, tasks=tasks)
    signals = Signals(clock, codec_for(settings, "signal"), partial(poster.post_soon, names.signals))
    publishing = Publishing(
        poster=poster,
        history=history,
        channels=state,
        answers=answers,
        budgets=budgets,
        attachments=attachments,
        signer=Signer(settings.auth),
        tracing=None if traces is None else traces.tracing,
    )
    service = Service(
        edge,
        clock,
        admission,
        subscriptions,
        publishing,
        requests,
        Turns(clock),
        rooms,
        places,
        Messenger(
            door=rooms.door,
            history=history,
            book=book,
            places=places,
            requests=requests,
            subscriptions=subscriptions,
            admission=admission,
            signals=signals,
            looks=looks_of(settings, state, feeds.broadcasts, tasks),
            viewers=heartbeat.viewers,
            crowd=state.crowd,
            clock=clock,
            tasks=tasks,
        ),
        NearbyRequests(settings.nearby, looking, publishing, state.consent, budgets),
        feeds,
        CrowdRequests(*(settings, clock, state, history), by=(poster, answers), budgets=budgets),
        tasks,
    )
    shares.holds("connections", service.admission.users, edge.max_connections_per_user)
    shares.holds("subscriptions", service.subscriptions.of_users, edge.max_subscriptions_per_user)
    return Parts(
        *(service, hub, looking, poster, answers, attachments),
        *(heartbeat, served, book, shares, signals, traces),
    )
