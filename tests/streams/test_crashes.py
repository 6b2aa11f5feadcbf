"""Exactly once at the viewer, whatever crashes, freezes or is forced back, on one seeded schedule."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded.backends.servers import Servers
from kernel.log.positions import Kind
from tests.pipeline import Pipeline, eventually
from tests.streams.crew import Crew, set_back
from tests.streams.log import Log, Seen, accepted_offsets

#: The promise is about 200,000 events of 500 channels; the suite's everyday run has fewer of both.
EVENTS = int(os.environ.get("CRASH_EVENTS", "20000"))
CHANNELS = int(os.environ.get("CRASH_CHANNELS", "100"))
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))
SEED = int(os.environ.get("CRASH_SEED", str(random.SystemRandom().randrange(10_000))))
#: The promise's size takes minutes: what waits for the end has as much more patience.
MORE_S = (EVENTS - 20_000) / 250 + (ROUNDS - 1) * 60
BLOWS = ("kill", "kill", "stop", "freeze", "broker", "rewind")
WORKERS = 3


def strike(blow: str, rng: random.Random, crew: Crew, servers: Servers, pipeline: Pipeline) -> None:
    """One blow of the schedule."""
    if blow in ("kill", "stop"):
        number = rng.choice(crew.awake)
        crew.end(number, kill=blow == "kill")
        crew.start(number)
    elif blow == "freeze":
        # Short of the group's session and beyond it: then others have its partitions when it wakes up.
        crew.freeze(rng.choice(crew.awake), rng.uniform(1, 9))
    elif blow == "broker":
        crew.excuse()
        servers.kafka.kill()
        servers.kafka.start()
    else:
        crew.thaw()
        for number in list(crew.running):
            crew.end(number, kill=rng.random() < 0.3)
        set_back(pipeline.settings, rng.uniform(0.2, 0.9))
        for number in range(WORKERS):
            crew.start(number)


@pytest.mark.slow
@pytest.mark.timeout(550 + MORE_S)
def test_each_accepted_event_is_seen_once_in_order_whatever_crashes(
    make_servers: Callable[..., Servers], tmp_path: Path
) -> None:
    print(f"CRASH_SEED={SEED}")  # noqa: T201 - replays the run
    rng, posting = random.Random(SEED), random.Random(SEED + 1)
    servers = make_servers(with_elasticsearch=False)
    servers.start()
    for_all = {"TOUCHLINE_TOPICS_PARTITIONS": str(WORKERS + 1)}
    pipeline = Pipeline(servers.bootstrap_servers, "http://127.0.0.1:9", tmp_path, **for_all)
    log, crew = Log(pipeline.settings), Crew(pipeline, tmp_path, WORKERS)
    blows = [*BLOWS] * ROUNDS
    rng.shuffle(blows)
    poisoned = posted = 0
    try:
        for number in range(WORKERS):
            crew.start(number)
        for at, blow in enumerate([*blows, ""], 1):
            part = EVENTS * at // (len(blows) + 1) - posted
            poisoned += log.post_chats(part, CHANNELS, posting, poison=0.001, first=posted)
            posted += part
            time.sleep(rng.uniform(0.1, 2))  # the schedule: a blow in the middle of the work, or after it
            crew.look()
            if blow:
                strike(blow, rng, crew, servers, pipeline)

        def done() -> bool:
            crew.look()
            return not log.lag(Kind.CHAT)

        crew.thaw()
        eventually(f"all is judged (seed {SEED})", done, within=250 + MORE_S)
    finally:
        crew.close()
    seen, expected = Seen(log), accepted_offsets(log)
    print(f"{posted} events, {poisoned} poison, {len(blows)} blows, {seen.repeats} repeats")  # noqa: T201
    assert dict(seen.offsets) == expected, f"seed {SEED}"
    assert sum(map(len, expected.values())) == EVENTS - poisoned
    assert set(seen.keys.values()) == {1}
    rejected = {(r["partition"], r["offset"]) for r in log.values(log.names.rejected, "rejection")}
    assert len(rejected) == poisoned
