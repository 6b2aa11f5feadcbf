"""Bounds that hold over all doors: slow mode of a channel, and how many rooms somebody is in."""

import asyncio

from control.commands.sending import send_command
from kernel.clock import SystemClock
from tests.moderation.test_sanctions import new_channel, post
from tests.pipeline import Pipeline
from tests.rooms.people import create, ok, person, refused, until


async def test_slow_mode_holds_over_devices_and_doors(ruled: Pipeline) -> None:
    channel = new_channel()
    clock = SystemClock()
    await asyncio.to_thread(send_command, ruled.settings, clock, channel, "set_channel", {"slow_s": 60})

    async def in_force() -> bool:  # of who tries it out, and of nobody else
        return [await post(ruled, "tim", channel, f"x{n}") for n in range(2)][-1] == "rate_limited"

    await until(in_force)
    stream = f"chat:{channel}"
    async with person(ruled, "eve") as phone, person(ruled, "eve") as laptop:
        asked = [
            one.ask("publish", stream=stream, data={"text": "x"}, wait="accepted") for one in (phone, laptop)
        ]
        answers = [*(await asyncio.gather(*asked))]
    codes = [answer.get("code", "ok") for answer in answers] + [await post(ruled, "eve", channel, "x")]
    assert sorted(codes) == ["ok", "rate_limited", "rate_limited"]
    assert await post(ruled, "bob", channel, "x") == "ok"


async def test_a_user_is_in_so_many_rooms_at_most(ruled: Pipeline) -> None:
    rooms = [await create(ruled, "ola") for _ in range(8)]
    wanted = {"room": "one-more", "name": "x", "members": []}
    assert await refused(ruled, "POST", "/v1/rooms", "ola", wanted) == (422, "too_many")
    theirs = await create(ruled, "pia")
    path = f"/v1/rooms/{theirs}/members"
    assert await refused(ruled, "POST", path, "pia", {"add": ["ola"]}) == (422, "too_many")
    await ok(ruled, "DELETE", f"/v1/rooms/{rooms[0]}", "ola")
    await ok(ruled, "POST", path, "pia", {"add": ["ola"]})
    # Operators are not bound.
    await ok(ruled, "POST", "/v1/rooms", None, {**wanted, "members": ["ola"]})
