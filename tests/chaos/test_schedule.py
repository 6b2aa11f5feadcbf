"""A schedule is data: a seed makes it again, what is written is read, what makes no sense is refused."""

import pytest

from chaos.faults.links import BROKERS, LINKS
from chaos.faults.schedule import FAULTS, TO_UPGRADE, Blow, plan, plan_upgrade, read, write
from kernel.errors import TouchlineError


def test_a_seed_makes_the_same_faults_again_and_another_one_others() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert plan(7, 120) != plan(8, 120)
    assert read(write(plan(7, 120))) == plan(7, 120)


def test_seeds_bring_every_fault_to_everybody() -> None:
    blows = [blow for seed in range(200) for blow in plan(seed, 120)]
    assert {blow.fault for blow in blows} == set(FAULTS)
    killed = {blow.target for blow in blows if blow.fault == "kill"}
    assert {"kafka-1", "elasticsearch", "stream-2", "edge-own", "index", "gateway"} <= killed
    links = {blow.target for blow in blows if blow.fault in ("cut", "half_open", "slow")}
    assert links == set(LINKS)


@pytest.mark.parametrize("seed", range(20))
def test_faults_end_with_the_run_and_never_take_two_brokers_at_once(seed: int) -> None:
    blows = plan(seed, 300)
    assert all(0 <= blow.at_s < 300 and blow.at_s + blow.lasts_s <= 301 for blow in blows)
    on_brokers = [b for b in blows if b.target.removeprefix("to:").replace("controller", "kafka") in BROKERS]
    for number, one in enumerate(on_brokers):
        for other in on_brokers[number + 1 :]:
            assert one.at_s + one.lasts_s < other.at_s or other.at_s + other.lasts_s < one.at_s


@pytest.mark.parametrize("seed", range(20))
def test_an_upgrade_reaches_each_kind_of_role_once_among_other_faults(seed: int) -> None:
    blows = plan_upgrade(seed, 300)
    assert [blow.target for blow in blows if blow.fault == "upgrade"] == list(TO_UPGRADE)
    assert len(blows) > len(TO_UPGRADE)
    assert read(write(blows)) == blows


@pytest.mark.parametrize(
    "text", ["", "{}", '[{"at_s": 1}]', '[{"at_s": 1, "fault": "kill", "target": "the moon"}]']
)
def test_what_is_no_schedule_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(TouchlineError) as refused:
        read(text)
    assert refused.value.code == "bad_request"


def test_a_blow_reads_well() -> None:
    assert (
        str(Blow(3.25, "slow", "to:edge-1", 4, 100)) == "    3.2 s  slow      to:edge-1 by +100 ms for 4.0 s"
    )
    assert str(Blow(12, "restart", "gateway")) == "   12.0 s  restart   gateway"
