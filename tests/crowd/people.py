"""What somebody in a crowd does over HTTP."""

import itertools
from typing import Any

from tests.pipeline import Pipeline
from tests.rooms.people import Person, http, ok

_NUMBERS = itertools.count(1)


def new_stream(kind: str = "chat") -> str:
    return f"{kind}:crowd{next(_NUMBERS)}"


def path_of(stream: str, rest: str = "") -> str:
    return f"/v1/streams/{stream.replace(':', '/')}/{rest}"


async def say(pipeline: Pipeline, stream: str, text: str = "Goal!", **more: Any) -> str:
    """The id of an event that was accepted."""
    body = {"data": {"text": text} if stream.startswith("chat:") else {"what": text}, **more}
    answer = await ok(pipeline, "POST", path_of(stream, "events?wait=accepted"), None, body)
    return str(answer["results"][0]["id"])


async def react(
    pipeline: Pipeline, stream: str, with_: str, by: str | None = None, **more: Any
) -> tuple[int, str]:
    """Status and code of what is answered to one reaction."""
    status, answer = await http(pipeline, "POST", path_of(stream, "reactions"), by, {"with": with_, **more})
    return status, answer.get("code", "")


async def totals(
    pipeline: Pipeline, stream: str, user: str | None = None, target: str = ""
) -> dict[str, Any]:
    query = f"?target={target}" if target else ""
    return dict(await ok(pipeline, "GET", path_of(stream, f"reactions{query}"), user))


async def begin(pipeline: Pipeline, stream: str, user: str | None = None, **more: Any) -> str:
    """A poll of three options that may be voted on."""
    asked = {"question": "Who wins?", "options": ["home", "draw", "away"], **more}
    return str((await ok(pipeline, "POST", path_of(stream, "polls"), user, asked))["poll"])


async def poll(pipeline: Pipeline, stream: str, id_: str, user: str | None = None) -> dict[str, Any]:
    return dict(await ok(pipeline, "GET", path_of(stream, f"polls/{id_}"), user))


async def told(who: Person, op: str, wanted: Any) -> dict[str, Any]:
    """The first news of this sort."""
    return await who.until(lambda m: m["op"] == op and "id" not in m and wanted(m))
