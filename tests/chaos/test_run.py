"""Forty seconds full of faults against the whole pipeline; `make chaos` runs for longer, with any seed."""

import os
from pathlib import Path

import pytest

from chaos.faults.schedule import plan
from chaos.run import Plan, run
from tests.servers import data_directory, servers_dir

#: By this one all sorts of faults come in forty seconds, against 18 targets: a broker is away for ten, and
#: members for longer than their sessions.
SEED = int(os.environ.get("TOUCHLINE_TEST_SEED", "7994"))
SECONDS, EVERY_S = 40.0, 1.2


@pytest.mark.servers
@pytest.mark.slow
async def test_whatever_breaks_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path) -> None:
    blows = plan(SEED, SECONDS, every_s=EVERY_S)
    with data_directory() as directory:
        # All systems at once are more than two cores carry beside other tests: `touchline chaos` has them.
        wanted = Plan(SEED, SECONDS, blows, viewers=30, events_per_s=40, parts=("channels",))
        report = await run(wanted, directory, servers_dir(), print)
        lines = "\n".join(report.lines())
        if not report.passed:
            (tmp_path / "schedule.json").write_text("\n".join(map(str, blows)))
    assert report.passed, lines
    assert report.acknowledged > 1000
    assert report.shown > report.acknowledged
    assert report.pages > 10
