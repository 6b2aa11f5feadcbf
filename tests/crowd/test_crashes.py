"""Workers, edges and gateways are killed while a crowd claps and votes: all of it is what a recount says."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos import invariants
from chaos.invariants import Place
from chaos.parts.clapping import Clapper, recount, shown
from tests.crowd.conftest import NO_ELASTICSEARCH
from tests.crowd.people import begin, new_stream, poll, totals
from tests.pipeline import Pipeline, running
from tests.rooms.people import person

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def dying(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("dying")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "edge", "gateway") as pipeline:
        yield pipeline


async def test_totals_and_votes_are_a_recount_of_the_log_after_workers_and_doors_were_killed(
    dying: Pipeline,
) -> None:
    clapper, enough = Clapper(dying.gateway_url, random.Random(1)), asyncio.Event()
    clapping = asyncio.create_task(clapper.run(enough))
    for role in ("stream", "gateway", "stream"):
        await asyncio.sleep(1.5)
        await asyncio.to_thread(dying.kill, role)
        await asyncio.to_thread(dying.start, role)
    await asyncio.sleep(1)
    enough.set()
    await clapping
    said = await shown(dying.gateway_url, clapper.places)
    right = recount(dying.settings)
    assert len(said) == 6
    assert invariants.totals_are_the_recount(said, right) == []
    assert invariants.applause_is_as_confirmed(right, clapper.confirmed, clapper.unknown) == []
    for (place, user), option in clapper.voted.items():
        assert (await poll(dying, place.stream, place.target, user))["mine"] == option


async def test_of_what_an_edge_has_answered_nothing_is_lost_with_it(dying: Pipeline) -> None:
    stream, answered, sent = new_stream(), 0, 0
    vote = await begin(dying, stream)
    async with person(dying, "ana") as ana:

        async def clap() -> None:
            nonlocal answered, sent
            while True:
                sent += 1
                reply = await ana.ask("react", stream=stream, **{"with": "👏"})
                answered += reply["op"] == "ok"

        assert (await ana.ask("vote", stream=stream, poll=vote, option=2))["op"] == "ok"
        clapping = [asyncio.create_task(clap()) for _ in range(20)]
        await asyncio.sleep(1)
        await asyncio.to_thread(dying.kill, "edge")
        for task in clapping:
            task.cancel()
        await asyncio.gather(*clapping, return_exceptions=True)
    await asyncio.to_thread(dying.start, "edge")
    counted = (await totals(dying, stream))["totals"]["👏"]
    assert 0 < answered <= counted <= sent
    assert counted == recount(dying.settings)[Place(stream)]["👏"]
    async with person(dying, "ana") as ana:
        assert (await ana.ask("vote", stream=stream, poll=vote, option=0))["op"] == "ok"
    assert (await poll(dying, stream, vote))["counts"] == [1, 0, 0]
