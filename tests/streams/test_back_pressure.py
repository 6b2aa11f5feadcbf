"""When outputs cannot be written: reading pauses, the lag shows, memory stays flat, and then all goes on."""

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.request import urlopen

import psutil

from embedded.backends.servers import Servers
from kernel.log.positions import Kind
from tests.pipeline import Pipeline, eventually, running
from tests.streams.log import Log, Seen, accepted_offsets

BOUND = 2_000
#: Far more than the bound, and than the turns that may be under way.
EVENTS = 60_000
MIB = 1024 * 1024


def metric(pipeline: Pipeline, name: str, label: str = "") -> float:
    """All that have this label together; 0 where the worker has not said it yet."""
    with urlopen(f"http://127.0.0.1:{pipeline.settings.stream.port}/metrics", timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name) and label in line)


def test_a_worker_whose_broker_is_frozen_waits_within_bounds_and_then_goes_on(
    make_servers: Callable[..., Servers], tmp_path: Path
) -> None:
    seed = random.SystemRandom().randrange(10_000)
    servers = make_servers(with_elasticsearch=False)
    servers.start()
    broker = servers.kafka.brokers[0].pid or 0
    given = {"TOUCHLINE_STREAM_MAX_QUEUED": str(BOUND)}
    with running(servers.bootstrap_servers, "http://127.0.0.1:9", tmp_path, **given) as pipeline:
        log = Log(pipeline.settings)
        lag = ("touchline_consumer_lag{", f'topic="{log.names.ingest[Kind.CHAT]}"')
        accepted = 'touchline_accepted_total{kind="chat"}'
        log.post_chats(EVENTS, 50, random.Random(seed))
        pipeline.start("stream")
        worker = psutil.Process(pipeline.pid("stream"))
        eventually("work has begun", lambda: metric(pipeline, accepted) > 0)
        os.killpg(broker, signal.SIGSTOP)
        try:
            frozen: list[tuple[float, float]] = []

            def waits() -> bool:
                """No event judged for two seconds, as the looks of the role are two seconds apart."""
                frozen.append((metric(pipeline, accepted), metric(pipeline, *lag)))
                return len(frozen) > 40 and len(set(frozen[-40:])) == 1

            eventually("it waits", waits)
            resident = worker.memory_info().rss
            frozen.clear()
            eventually("it waits still", waits)
            judged, behind = frozen[-1]
            assert judged < EVENTS
            assert behind > 0, "the lag shows"
            assert 0 < metric(pipeline, "touchline_outputs_under_way") < 2 * BOUND, f"seed {seed}"
            assert worker.memory_info().rss - resident < 4 * MIB
        finally:
            os.killpg(broker, signal.SIGCONT)
        eventually("it goes on", lambda: log.lag(Kind.CHAT) == 0, within=180)
        seen = Seen(log)
        assert dict(seen.offsets) == accepted_offsets(log), f"seed {seed}"
        assert set(seen.keys.values()) == {1}
