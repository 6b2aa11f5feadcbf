"""`touchline simulate --walkers` as somebody runs it: walkers become friends, walk, and see each other."""

import asyncio

from tests.nearby.test_friends import friends_of
from tests.pipeline import Pipeline
from tests.rooms.people import ok, person

CITY = {"lat": 51.556, "lon": -0.2796, "within": "20km"}


async def test_walkers_walk_and_see_each_other(walking: Pipeline) -> None:
    how = ("--walkers", "6", "--friends", "4", "--every", "0.5", "--for", "6")
    async with person(walking, "walker0") as looks:
        asked = await looks.ask("nearby", **CITY)
        assert asked["friends"] == []
        (done,) = await asyncio.to_thread(walking.lines, "simulate", *how)
        assert done["walkers"] == 6
        assert 6 * 6 / 0.5 * 0.6 < done["delivered"] < 6 * 6 / 0.5 * 1.4
        friends = await friends_of(walking, "walker0")
        assert friends
        assert set(friends.values()) == {"friends"}

        def seen() -> set[str]:
            return {m["user"] for m in looks.heard if m["op"] == "near"}

        def places() -> set[tuple[float, float]]:
            return {(m["lat"], m["lon"]) for m in looks.heard if m["op"] == "near"}

        # The last of them may be on their way yet; and each of them moves.
        await looks.until(lambda _: seen() >= set(friends) and len(places()) > len(friends))
        assert seen() == set(friends), "who walks is seen by friends, and by nobody else"
    assert (await ok(walking, "GET", "/v1/sharing", "walker0")) == {"on": True, "public": True}
    assert (await ok(walking, "GET", "/v1/sharing", "walker1")) == {"on": True, "public": False}
    said = await asyncio.to_thread(walking.run, "simulate", "--walkers", "2", "--every", "1", "--for", "1")
    assert "positions delivered" in said.stdout
    assert "touchline nearby" in said.stderr
