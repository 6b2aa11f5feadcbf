"""What is posted about other events: they are looked up a few at once, each for a read of whoever posts."""

import asyncio
import json

from gateway.events import replies
from gateway.events.changes import Item, looking
from gateway.http.access import Caller
from kernel.errors import TouchlineError
from kernel.fairness.budgets import RateLimitedError
from kernel.log.positions import Kind, Stream, make_id

STREAM = Stream(Kind.CHAT, "final")
IDS = [make_id(Kind.CHAT, 1_767_225_600_000 + number, 0, number) for number in range(100)]
MOST_AT_ONCE, READS = 8, 60


class Log:
    """It has every event, and knows how many were asked for at once."""

    def __init__(self) -> None:
        self.now = self.most = self.asked = 0

    async def find(self, stream: Stream, event_id: str, lanes: int = 0) -> bytes | None:
        self.now += 1
        self.asked += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return json.dumps({"id": event_id, "seq": 1, "sender": "ana"}).encode()


async def test_many_are_looked_up_a_few_at_once_and_as_many_as_one_may_read() -> None:
    for field, type_ in (("target", "edit"), ("reply_to", "message")):
        left, log = READS, Log()

        def take() -> None:
            nonlocal left
            if not left:
                raise RateLimitedError("You have used up your reads.", 1.0)
            left -= 1

        if field == "target":
            look = looking(log, STREAM, Caller("ana", bound="ana"), 0, take=take)
        else:
            look = replies.looking(log, STREAM, 0, take=take)
        assert look is not None
        items: list[Item] = [
            (number, json.dumps({"type": type_, "data": {"text": "x", field: id_}}).encode())
            for number, id_ in enumerate(IDS)
        ]
        refused = await look.through(items)
        assert (log.asked, log.most) == (READS, MOST_AT_ONCE)
        assert set(refused) == set(range(READS, len(IDS)))
        assert all(isinstance(error, TouchlineError) for error in refused.values())
        assert {error.code for error in refused.values()} == {"rate_limited"}
