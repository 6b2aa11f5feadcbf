"""How many notifications are unread: by what the fold keeps of their stream, without Kafka."""

import asyncio
import json
from typing import NoReturn

from control.channels.channel import ChannelRecord
from control.channels.epochs import Epoch, Epochs
from control.inbox.tables import tally_type
from control.inbox.tally import RECENT, Tally
from control.inbox.unread import ReadUpTo
from history.pages import Page
from history.unread import unread_notifications
from kernel.access.signing import Signer
from kernel.log.positions import Kind, Stream, make_seq
from kernel.log.records import Record
from kernel.log.topics import TopicNames
from kernel.settings.reading import Auth, Settings
from streams.fold.channels import Channels
from streams.fold.checks.repeats import Repeats
from streams.fold.judge import Judge
from streams.fold.memory import Memory
from streams.fold.outputs.tallies import TalliesFold
from tests.control.inbox.test_counts import Tallies

SIGNER = Signer(Auth(internal_secret="s" * 32))
TYPE = tally_type(Settings())
AT = 1_767_225_600_000


class NotToBeAsked:
    """A past that nobody looks into."""

    async def read(
        self, stream: Stream, *, after: int | None = None, before: int | None = None, limit: int
    ) -> NoReturn:
        raise AssertionError((stream, after, before, limit))


class Past(NotToBeAsked):
    """Events at these places."""

    async def read(  # type: ignore[override]
        self, stream: Stream, *, after: int | None = None, before: int | None = None, limit: int
    ) -> Page:
        number = (after or 0) - make_seq(1, 0) + 1
        return Page([b'{"n":%d}' % number], more=True, seqs=[make_seq(1, number)])


def folded(told: int, *, channel: str = "notify-ana") -> Tally | None:
    """What the worker keeps after so many notifications, with the record of the last one read twice."""
    table = Tallies()
    tallies = TalliesFold(table, table.write, TYPE.encode, lambda _: None, SIGNER)
    judge = Judge(
        *(Kind.BROADCAST, 0),
        names=TopicNames("t"),
        channels=Channels(Kind.BROADCAST, lambda name: ChannelRecord(channel=name), ingest=1, fanout=1),
        epochs=Epochs([Epoch(1, "id", 1, {})], 0),
        memory=Memory(Repeats(600_000)),
        signer=SIGNER,
        tallies=tallies,
    )
    value = json.dumps({"type": "mention", "sender": "touchline", "data": {"by": "bob"}}).encode()
    headers = SIGNER.headers("broadcast", channel, value)
    for offset in range(1, told + 1):
        judge.fold([Record(offset, AT, channel.encode(), value, headers)])
    return table.known(channel.encode()).state


def unread(tally: Tally | None, read: int, n: int = 0, past: NotToBeAsked | None = None) -> int:
    upto = ReadUpTo(make_seq(1, read) if read else 0, n)
    return asyncio.run(unread_notifications(past or NotToBeAsked(), "ana", tally, upto))


def test_what_is_unread_is_subtracted_and_nothing_is_read_for_it() -> None:
    assert unread(None, 0) == 0
    tally = folded(5)
    assert [unread(tally, read) for read in range(6)] == [5, 4, 3, 2, 1, 0]
    many = folded(3 * RECENT)
    assert unread(many, 0) == 3 * RECENT
    assert unread(many, 7, n=7) == 3 * RECENT - 7


def test_a_place_whose_number_nobody_took_down_is_looked_for() -> None:
    assert unread(folded(3 * RECENT), 7, past=Past()) == 3 * RECENT - 7


def test_of_other_broadcasts_and_of_what_is_said_to_somebody_nothing_else_is_kept() -> None:
    tally = folded(2)
    assert tally is not None
    assert (tally.n, tally.last, tally.posts, tally.mentions) == (2, b"", (), ())
    assert folded(2, channel="news") is None
