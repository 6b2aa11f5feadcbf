"""The siege: attackers are data, findings are sentences, and a short one is part of every test run."""

import os
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec
import psutil
import pytest

from chaos.siege.attackers.attack import Put
from chaos.siege.attackers.by_name import ATTACKERS
from chaos.siege.attackers.on_the_log import TOPICS
from chaos.siege.report import Bounds, Phase, Report, broken, p99
from chaos.siege.run import Plan, besiege, faster, phases, shares
from chaos.siege.strike import topic_of
from chaos.siege.watching.machine import Meter
from chaos.siege.watching.roles import long_stalls
from kernel.log.positions import Kind
from kernel.log.topics import TopicNames, topics
from kernel.settings.reading import Settings
from tests.pipeline import Pipeline, running

#: Cases of the issue that are no user's to bring about: what prints on a terminal, a default instance.
NOT_FROM_OUTSIDE = {14}


def test_every_case_that_was_found_has_an_attacker_and_there_are_thirty() -> None:
    assert len(ATTACKERS) >= 30
    assert {one.case for one in ATTACKERS.values()} >= set(range(1, 16)) - NOT_FROM_OUTSIDE


@pytest.mark.parametrize("name", ATTACKERS)
def test_an_attackers_steps_are_data_on_channels_of_their_own_with_ordinary_grants(name: str) -> None:
    one = ATTACKERS[name]
    assert one.steps(one.channel)
    assert "*" not in one.grants.get("admin", ())
    assert all("foe-" in pattern for patterns in one.grants.values() for pattern in patterns)


def test_junk_comes_on_every_topic() -> None:
    names, wanted = TopicNames("t"), {topic.name for topic in topics(Settings())}
    assert {topic_of("touchline", name) for name in TOPICS} == wanted
    assert topic_of("t", "events.chat") == names.events[Kind.CHAT]
    puts = [s for a in ATTACKERS.values() if a.way == "log" for s in a.steps("foe") if isinstance(s, Put)]
    assert {put.topic for put in puts} == set(TOPICS)


def test_every_attacker_comes_with_a_few_others_and_at_last_all_do() -> None:
    turns = phases(Plan(60, tuple(ATTACKERS), together=4, seed=7))
    assert Counter(name for turn in turns[:-1] for name in turn) == Counter(list(ATTACKERS))
    assert set(turns[-1]) == set(ATTACKERS)
    assert turns == phases(Plan(60, tuple(ATTACKERS), together=4, seed=7))


def test_the_time_is_shared_out_and_all_of_them_together_have_more_of_it() -> None:
    wanted = Plan(100, tuple(ATTACKERS), together=4, peace_s=10)
    given = shares(wanted, phases(wanted))
    assert sum(given) == pytest.approx(80)
    assert len(set(given[:-1])) == 1
    assert given[-1] == pytest.approx(3 * given[0])
    few = Plan(100, tuple(ATTACKERS)[:3], together=4, peace_s=10)
    assert shares(few, phases(few)) == [80]


PEACE = Phase(delay_p99_ms=50, request_p99_ms={"search": 40}, megabytes={"edge": 100})


@pytest.mark.parametrize(
    ("phase", "sentence"),
    [
        (Phase(delay_p99_ms=60, deaths={"stream-1": 1}), "stream-1 ended 1 times"),
        (Phase(delay_p99_ms=1200), "events came 1200 ms after they were posted, at p99"),
        (Phase(delay_p99_ms=None), "no event reached anybody"),
        (Phase(delay_p99_ms=60, request_p99_ms={"search": 160}), "search took 160 ms, at p99"),
        (
            Phase(delay_p99_ms=60, slowest_ms={"edge": 1500}),
            "the loop of edge stood still: /healthz took 1500 ms",
        ),
        (
            Phase(delay_p99_ms=60, stalls={"edge": 2}),
            "the loop of edge stood still for more than 50 ms 2 times",
        ),
        (Phase(delay_p99_ms=60, megabytes={"edge": 700}), "edge grew from 100 to 700 MB"),
        (
            Phase(delay_p99_ms=60, refused=["endless"], answers={"endless": {"401": 20, "202": 1}}),
            "endless was given what it may not have: {'202': 1}",
        ),
        (
            Phase(delay_p99_ms=60, requests=100, failed={"post": 9}),
            "9 of 100 requests of ordinary users failed: {'post': 9}",
        ),
    ],
)
def test_what_breaks_is_said_in_a_sentence(phase: Phase, sentence: str) -> None:
    assert broken(phase, PEACE, Bounds()) == [sentence]


def test_what_nobody_noticed_is_no_finding() -> None:
    calm = Phase(
        delay_p99_ms=900, request_p99_ms={"search": 139}, requests=100, failed={"post": 2},
        slowest_ms={"edge": 400}, megabytes={"edge": 450}, stalls={"edge": 0},
    )  # fmt: skip
    assert Report(peace=PEACE, phases=[calm]).findings == []


def test_attackers_of_straw_show_nothing() -> None:
    """On a machine that has no time for them nobody is hurt, whatever they would do."""
    few = Phase(
        delay_p99_ms=60,
        attackers=("idle", "slow", "busy", "through"),
        answers={"slow": {"202": 3}, "busy": {"202": 30, "403": 30}, "through": {"413": 1, "turns": 1}},
    )
    assert broken(few, PEACE, Bounds()) == [
        "idle acted 0 times only: nothing is shown of it",
        "slow acted 3 times only: nothing is shown of it",
    ]
    all_of_them = msgspec.structs.replace(few, attackers=("idle", "slow", *map(str, range(20))))
    assert "slow acted 3 times only: nothing is shown of it" not in broken(all_of_them, PEACE, Bounds())


def test_what_the_machine_is_later_by_is_nobodys_doing() -> None:
    """Everybody's processes share a machine's cores here: by that much everything else is slower, too."""
    slow = Phase(delay_p99_ms=1200, request_p99_ms={"search": 220}, machine_ms=180)
    assert broken(slow, msgspec.structs.replace(PEACE, machine_ms=20), Bounds()) == []
    slower = msgspec.structs.replace(slow, request_p99_ms={"search": 470})
    assert broken(slower, msgspec.structs.replace(PEACE, machine_ms=20), Bounds()) == [
        "search took 470 ms, at p99"
    ]


def test_what_is_work_takes_as_many_times_as_long_as_on_a_machine_that_has_nothing_else_to_do() -> None:
    before, later = msgspec.structs.replace(PEACE, machine_ms=20), Phase(delay_p99_ms=60, machine_ms=60)
    slow = msgspec.structs.replace(later, request_p99_ms={"search": 40 * 3 + 99})
    assert broken(slow, before, Bounds()) == []
    slower = msgspec.structs.replace(later, request_p99_ms={"search": 40 * 3 + 101})
    assert broken(slower, before, Bounds()) == ["search took 221 ms, at p99"]


def test_where_work_waits_for_cores_in_peace_already_the_bounds_are_of_work_that_does_not() -> None:
    """Elsewhere each role has cores of its own: 40 ms here are 10 there, and may be 110."""
    before = msgspec.structs.replace(PEACE, stretched=4.0)
    slow = Phase(delay_p99_ms=60, request_p99_ms={"search": 439}, stretched=4.0)
    assert broken(slow, before, Bounds()) == []
    slower = msgspec.structs.replace(slow, request_p99_ms={"search": 441})
    assert broken(slower, before, Bounds()) == ["search took 441 ms, at p99"]
    assert broken(slow, PEACE, Bounds()) == [], "more is waited for cores than in peace"
    idle = msgspec.structs.replace(slow, stretched=1.0)
    assert broken(idle, before, Bounds()) == ["search took 439 ms, at p99"], "nobody waited: it is their work"


def test_it_is_no_peace_yet_while_requests_still_become_faster() -> None:
    first, later = (Phase(request_p99_ms={"search": ms, "post": 20}) for ms in (900, 300))
    assert faster(later, first)
    assert not faster(msgspec.structs.replace(later, request_p99_ms={"search": 290, "post": 25}), later)


def test_how_long_a_process_waits_for_cores_is_read_of_all_its_threads() -> None:
    meter = Meter()
    meter.fresh({"here": [os.getpid()]})
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    taken = meter.fresh({"here": [os.getpid()], "gone": [2**22 + 1]})
    assert taken.used["here"] > 0
    assert taken.stretched >= 1.0
    assert meter.fresh({"here": [os.getpid()]}, beside=("here",)).stretched == 1.0


def test_with_faults_mixed_in_what_is_left_at_the_end_counts() -> None:
    worse = Phase(delay_p99_ms=None, deaths={"stream-1": 3})
    assert Report(peace=PEACE, phases=[worse], struck=True).findings == []
    missing = Report(peace=PEACE, phases=[worse], struck=True, unseen=("a, 9 s old", "b"), away=("index",))
    assert missing.findings == [
        "2 events that were taken never reached somebody who watched: a, 9 s old; b",
        "index is not ready after it was over",
    ]


def test_of_a_few_the_slowest_is_no_p99() -> None:
    assert p99([]) is None
    assert p99([7.0]) == 7.0
    assert p99([*[1.0] * 59, 5.0]) == 1.0
    assert p99([*[1.0] * 58, 5.0, 5.0]) == 5.0
    assert p99([float(number) for number in range(1000)]) == 989.0


def test_stalls_are_read_from_a_roles_metrics() -> None:
    text = (
        "touchline_loop_stall_seconds_count 9.0\n"
        'touchline_loop_stall_work_seconds_bucket{le="0.05"} 5.0\n'
        'touchline_loop_stall_work_seconds_bucket{le="0.1"} 6.0\n'
        "touchline_loop_stall_work_seconds_count 8.0\n"
    )
    assert long_stalls(text) == 3
    assert long_stalls("touchline_viewers 1.0\n") == 0


class Camp:
    """One of each role, on the tests' servers."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._urls = {role: pipeline.health(role).removesuffix("/healthz") for role in ROLES}

    @property
    def settings(self) -> Settings:
        return self._pipeline.settings

    @property
    def gateway_url(self) -> str:
        return self._pipeline.gateway_url

    @property
    def edge_urls(self) -> list[str]:
        return [self._pipeline.edge_url]

    @property
    def operators(self) -> Mapping[str, str]:
        return self._urls

    def is_running(self, name: str) -> bool:
        return psutil.Process(self._pipeline.pid(name)).status() != psutil.STATUS_ZOMBIE

    def is_ready(self, name: str) -> bool:
        return self._pipeline.is_ready(name)

    def revive(self, name: str) -> None:
        self._pipeline.launch(name)

    def pids(self) -> dict[str, list[int]]:
        return {role: [self._pipeline.pid(role)] for role in ROLES}


ROLES = ("stream", "edge", "index", "gateway", "outbox")
SECONDS = 55.0
#: On a machine that has other tests to run delays tell of those; deaths, memory and loss tell of us.
BUSY = Bounds(delay_ms=30_000, request_ms=30_000, answer_ms=30_000, stalls=1000, grows_mb=600, acts=0)
#: Those that cost a worker, a gateway or an edge its life when they were found.
CHOSEN = (
    *(
        "ranges",
        "nested",
        "reshards",
        "blocked",
        "junk-events-chat",
        "junk-channels",
        "junk-control",
        "registry",
    ),
    *("commands", "junk-ingest-chat", "junk-fanout-live", "junk", "flood", "close-codes"),
    # And of those who use what stands beside events, the dearest, and who asks for what is others'.
    *("reacting", "rooming", "hooking", "prying"),
)


@pytest.mark.slow
async def test_a_short_siege_holds(kafka_servers: str, elasticsearch_url: str, tmp_path: Path) -> None:
    given = {"TOUCHLINE_AUTH_SECRET": secrets.token_hex(32)}
    wanted = Plan(SECONDS, CHOSEN, together=7, peace_s=6.0, bounds=BUSY)
    with running(kafka_servers, elasticsearch_url, tmp_path, *ROLES, **given) as pipeline:
        report = await besiege(wanted, Camp(pipeline), print)
    assert report.findings == []
    assert all(phase.answers for phase in report.phases)
