"""`touchline simulate --rooms`: rooms as people have them, and members who are there and read."""

import json

from tests.pipeline import Pipeline
from tests.rooms.people import ok


async def test_people_talk_in_simulated_rooms(roomy: Pipeline) -> None:
    how = ("--rooms", "6", "--fans", "10", "--rate", "25", "--for", "4", "--viewers", "2", "--seed", "5")
    done = json.loads(roomy.run("simulate", *how, "--json").stdout)
    assert (done["rooms"], done["people"]) == (6, 10)
    assert done["delivered"] > 60
    assert done["refused"] <= done["delivered"] / 10
    assert done["seen"] > 20
    rows = (await ok(roomy, "GET", "/v1/users/ana/rooms", None))["rooms"]
    assert rows
    texts = []
    for row in rows:
        path = f"/v1/streams/{row['stream'].replace(':', '/')}/events?limit=500"
        texts += [event["data"].get("text") for event in (await ok(roomy, "GET", path, "ana"))["events"]]
    assert len([text for text in texts if text]) > 5
