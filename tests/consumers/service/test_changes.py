"""Edits and retractions at an edge: only by those who may, also while the log alone knows what was said."""

import asyncio
from pathlib import Path
from typing import Any

from kernel.access.tokens import sign
from kernel.log.positions import Kind
from tests.accepted import chat, write
from tests.consumers.bare import bare
from tests.consumers.edges import edges

SECRET = "a-secret-of-thirty-two-bytes-or-more"


async def test_what_was_said_is_changed_by_its_author_or_an_administrator(
    kafka_servers: str, tmp_path: Path
) -> None:
    """§3.3"""
    with edges(kafka_servers, tmp_path, TOUCHLINE_AUTH_SECRET=SECRET) as (fanout, (edge,)):
        said = [chat("room", n, f"said {n}", sender="ana", partitions=2) for n in range(1, 50)]
        write(fanout.settings, Kind.CHAT, said)

        async def change(user: str, target: str, type_: str, *actions: str) -> str:
            can = dict.fromkeys(("publish", *actions), ("chat:room", "room"))
            token = sign(user, can, expires_s=4e9, key=SECRET)
            async with bare(f"{edge.url}?token={token}") as (client, _):
                data = {"text": "as it is", "target": target}
                answer: dict[str, Any] = {"code": "unavailable"}
                async with asyncio.timeout(60):  # a log that does not answer in time is asked again
                    while answer.get("code") == "unavailable":
                        await client.say(op="publish", id=1, stream="chat:room", type=type_, data=data)
                        answer = await client.any()
                return str(answer.get("code", answer.get("op")))

        target = said[30]["id"]
        for type_ in ("edit", "retract"):
            assert await change("ben", target, type_) == "forbidden"
            assert await change("ana", target, type_) == "published"
            assert await change("ben", target, type_, "admin") == "published"
            assert await change("ana", str(int(target) + 1), type_) == "not_found"
        assert await change("ana", "nothing", "edit") == "invalid_event"
