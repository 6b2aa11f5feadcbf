"""What those do who follow, and those who post."""

import itertools
from typing import Any

from tests.pipeline import Pipeline
from tests.rooms.people import ok

NUMBERS = itertools.count(1)


def new(*names: str) -> list[str]:
    """Users or channels of these names that no other test has."""
    number = next(NUMBERS)
    return [f"{name}-{number}" for name in names]


async def follow(pipeline: Pipeline, user: str, *channels: str) -> None:
    for channel in channels:
        answer = await ok(pipeline, "PUT", f"/v1/follows/{channel}", user)
        assert answer["channel"] == channel
        assert answer["since"]


async def post(pipeline: Pipeline, channel: str, *texts: str, type: str = "post") -> list[str]:  # noqa: A002
    """Broadcasts, accepted; their ids."""
    path = f"/v1/streams/broadcast/{channel}/events?wait=accepted"
    body = [{"type": type, "data": {"text": text}} for text in texts]
    answer = await ok(pipeline, "POST", path, None, body)
    return [one["id"] for one in answer["results"]]


async def feed(pipeline: Pipeline, user: str, **query: Any) -> dict[str, Any]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer: dict[str, Any] = await ok(pipeline, "GET", f"/v1/feed?{asked}", user)
    return answer


async def texts_of(pipeline: Pipeline, user: str, **query: Any) -> list[str]:
    return [event["data"]["text"] for event in (await feed(pipeline, user, **query))["events"]]
