"""docs/protocol.md §3.3 and §6.2: what is refused later finds its sender, and how much is under way."""

import asyncio
import gc
from typing import Any

from bench.rig.edge_alone import bare_service
from consumers.protocol.messages import Rejected
from consumers.protocol.session import Member
from consumers.service.service import Service
from consumers.transport.connection import MAX_UNDER_WAY, ViewerConnection
from control.commands.answers import WITHIN_S, Answers, Question
from control.commands.asker import Asker
from control.numbering import Placed, Position
from kernel.log.positions import Stream
from kernel.log.records import Headers
from kernel.settings.reading import Settings
from kernel.settings.sections import Edge
from tests.consumers.heard import messages
from tests.consumers.protocol.test_one_frame import ask, lose, opened
from tests.security.wire import HANDSHAKE, Transport


class Kafka:
    """Confirms what is posted when it is told to."""

    def __init__(self) -> None:
        self.confirms, self.asked = asyncio.Event(), asyncio.Event()
        self.posted: list[tuple[str, str]] = []

    async def post(self, stream: Stream, event: dict[str, Any], headers: Headers | None = None) -> Placed:
        self.posted.append((str(stream), event["key"]))
        self.asked.set()
        await self.confirms.wait()
        return Placed(0, None, None)


class Fold:
    """Answers once it is heard; without a word of its own it says nothing."""

    def __init__(self) -> None:
        self.heard, self.questions = asyncio.Event(), list[Question]()
        self._answers = Answers(Settings())  # it reads nothing: nobody lets it begin

    async def ask_soon(self) -> Question:
        await self.heard.wait()
        self.questions.append(Question(self._answers, Asker(0, b"edge", len(self.questions))))
        return self.questions[-1]


def edge(*, confirms: bool = True) -> tuple[Service, Kafka]:
    kafka = Kafka()
    if confirms:
        kafka.confirms.set()
    return bare_service(poster=kafka), kafka


def publish(number: int, stream: str, key: str) -> dict[str, Any]:
    return {"op": "publish", "id": number, "stream": stream, "key": key, "data": {"text": "x"}}


def user(viewer: Transport) -> str:
    assert isinstance(viewer.protocol, ViewerConnection)
    assert isinstance(viewer.protocol.session, Member)
    return viewer.protocol.session.user


def refuse(service: Service, sender: str, stream: str, key: str) -> None:
    message = Rejected(stream=stream, key=key, code="rate_limited", message="Too fast.")
    service.publishing.rejected(sender, message)


async def test_refusals_of_one_key_on_two_streams_are_both_told() -> None:
    """A key is the stream's: another stream's is another event."""
    service, _ = edge()
    viewer = opened(service, HANDSHAKE)
    ask(viewer, publish(1, "chat:a", "k"), publish(2, "chat:b", "k"))
    await service.tasks.settled()
    assert [said["id"] for said in messages(viewer, "published")] == [1, 2]
    for stream in ("chat:a", "chat:b", "chat:a"):
        refuse(service, user(viewer), stream, "k")
    told = [(said["stream"], said["key"]) for said in messages(viewer, "rejected")]
    assert told == [("chat:a", "k"), ("chat:b", "k")], "each once"
    lose(viewer)
    await service.close()


async def test_a_refusal_that_is_faster_than_kafkas_word_comes_after_it() -> None:
    service, kafka = edge(confirms=False)
    viewer = opened(service, HANDSHAKE)
    ask(viewer, publish(1, "chat:a", "k"))
    await asyncio.wait_for(kafka.asked.wait(), 60)
    refuse(service, user(viewer), "chat:a", "k")
    kafka.confirms.set()
    await service.tasks.settled()
    await asyncio.sleep(0)
    assert [said["op"] for said in messages(viewer, "published", "rejected")] == ["published", "rejected"]
    lose(viewer)
    await service.close()


async def test_who_has_posted_and_left_is_not_kept_for_refusals_that_may_come() -> None:
    def held() -> int:
        gc.collect()
        return sum(isinstance(each, ViewerConnection) for each in gc.get_objects())

    before, (service, _) = held(), edge()
    viewer = opened(service, HANDSHAKE)
    ask(viewer, publish(1, "chat:a", "k"))
    await service.tasks.settled()
    who = user(viewer)
    assert held() == before + 1
    lose(viewer)
    viewer.protocol = None
    assert held() == before
    refuse(service, who, "chat:a", "k")
    await service.close()


async def test_who_sends_two_hundred_messages_at_once_is_heard_and_much_of_large_ones_is_refused() -> None:
    service, kafka = edge(confirms=False)
    many, large = opened(service, HANDSHAKE), opened(service, HANDSHAKE)
    for number in range(1, 201):
        assert ask(many, publish(number, "chat:a", f"k{number}")) == []
    sixty = {"text": "x" * 60_000}
    refused: list[tuple[int, str]] = []
    for number in range(1, 51):
        refused += ask(large, {**publish(number, "chat:b", f"k{number}"), "data": sixty})
    await asyncio.sleep(0)
    assert {code for _, code in refused} == {"rate_limited"}
    taken = 50 - len(refused)
    assert len(kafka.posted) == 200 + taken
    assert taken * 60_000 <= MAX_UNDER_WAY * 8 * 1024 <= (taken + 5) * 60_000
    kafka.confirms.set()
    await service.tasks.settled()
    for each in (many, large):
        lose(each)
    await service.close()


async def test_of_one_viewer_so_many_requests_are_under_way_and_more_are_refused_until_one_is_done() -> None:
    kafka = Kafka()
    service = bare_service(Settings(edge=Edge(max_messages_per_s=MAX_UNDER_WAY)), poster=kafka)
    viewer, other = opened(service, HANDSHAKE), opened(service, HANDSHAKE)
    refused: list[tuple[int, str]] = []
    for number in range(1, MAX_UNDER_WAY + 3):
        refused += ask(viewer, publish(number, "chat:a", f"k{number}"))
    assert refused == [(MAX_UNDER_WAY + number, "rate_limited") for number in (1, 2)]
    assert ask(other, publish(1, "chat:a", "o")) == [], "the other is not held up"
    await asyncio.sleep(0)
    assert len(kafka.posted) == MAX_UNDER_WAY + 1
    kafka.confirms.set()
    await service.tasks.settled()
    assert len(messages(viewer, "published")) == MAX_UNDER_WAY
    assert ask(viewer, publish(99, "chat:a", "again")) == []
    await service.tasks.settled()
    assert messages(viewer, "published")[-1]["id"] == 99
    for each in (viewer, other):
        lose(each)
    await service.close()


async def test_who_waits_is_told_in_time_also_where_the_answers_are_not_heard_yet() -> None:
    """Nothing is posted then, so that it counts once when it is sent again."""
    kafka, fold = Kafka(), Fold()
    kafka.confirms.set()
    service, clock = bare_service(poster=kafka, answers=fold), asyncio.get_running_loop()
    viewer, waits = opened(service, HANDSHAKE), {"wait": "accepted"}
    began = clock.time()
    ask(viewer, publish(1, "chat:a", "k") | waits)
    await service.tasks.settled()
    assert WITHIN_S * 0.9 < clock.time() - began < WITHIN_S * 5, "not as long as it takes to be heard"
    [error] = messages(viewer, "error")
    assert (error["id"], error["code"], error["retry"]) == (1, "unavailable", True)
    assert "it was not posted" in error["message"]
    assert kafka.posted == []
    refuse(service, user(viewer), "chat:a", "k")
    assert messages(viewer, "rejected") == [], "that is somebody else's"

    fold.heard.set()
    ask(viewer, publish(2, "chat:a", "k") | waits)
    await asyncio.wait_for(kafka.asked.wait(), 60)
    fold.questions[0].answer.set_result(Position(7, "id7"))
    await service.tasks.settled()
    [told] = messages(viewer, "published")
    assert (told["id"], told["seq"], told["event_id"], kafka.posted) == (2, 7, "id7", [("chat:a", "k")])
    refuse(service, user(viewer), "chat:a", "k")
    assert messages(viewer, "rejected") == [], "it is not told a second time"
    lose(viewer)
    await service.close()


async def test_who_was_not_answered_in_time_is_told_once_what_became_of_it() -> None:
    kafka, fold = Kafka(), Fold()
    kafka.confirms.set()
    fold.heard.set()
    service = bare_service(poster=kafka, answers=fold)
    viewer = opened(service, HANDSHAKE)
    ask(viewer, publish(1, "chat:a", "k") | {"wait": "accepted"})
    await service.tasks.settled()
    [error] = messages(viewer, "error")
    assert (error["code"], "may still be accepted" in error["message"]) == ("unavailable", True)
    assert kafka.posted == [("chat:a", "k")]
    for _ in range(2):
        refuse(service, user(viewer), "chat:a", "k")
    assert [said["key"] for said in messages(viewer, "rejected")] == ["k"]
    lose(viewer)
    await service.close()
