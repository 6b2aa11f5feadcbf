"""docs/reliability.md shows the runs as their reports have them, also what did not hold."""

import msgspec
import pytest

from chaos.faults.schedule import Blow
from chaos.page import PAGE, made, marked, ranges, runs, siege, soak, spoken
from chaos.report import Report
from chaos.siege.report import Phase
from chaos.siege.report import Report as Siege

HELD = Report(
    seed=3, seconds=120, blows=[Blow(1, "kill", "index")], viewers=60, acknowledged=8286, shown=65102,
    recovered_s=8.5, findings={"nothing is lost": []},
)  # fmt: skip
BROKEN = Report(seed=2, seconds=120, blows=[], viewers=60, findings={"nothing is lost": ["k1"], "order": []})


def test_a_run_is_a_row_and_what_did_not_hold_is_named() -> None:
    *_, first, second = runs([HELD, BROKEN]).splitlines()
    assert first == "| 2 | 0 | 60 | 0 | 0 | 0 | **not**: nothing is lost | not |"
    assert second == "| 3 | 1 | 60 | 8,286 | 65,102 | 0 | all 1 | 8.5 s |"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([], ""),
        ([7], "7"),
        ([8, 7], "7 and 8"),
        ([23, 21, 22, 31], "21 to 23 and 31"),
        ([1, 3, 4, 9, 10, 11], "1, 3, 4 and 9 to 11"),
    ],
)
def test_seeds_are_told_in_short(numbers: list[int], said: str) -> None:
    assert ranges(numbers) == said


def test_how_many_runs_there_are_and_of_what_is_said_as_the_reports_have_it() -> None:
    assert spoken([HELD]) == "1 run: with 60 viewers the seed 3. Everything held in each."
    big = msgspec.structs.replace(HELD, seed=31, viewers=1000)
    said = "3 runs: with 60 viewers the seeds 2 and 3, with 1,000 viewers the seed 31."
    assert spoken([BROKEN, big, HELD]) == f"{said} In 1 something did not hold."


def test_the_page_shows_the_reports_that_there_are() -> None:
    page = PAGE.read_text("utf-8")
    assert made(page) == page, "run python -m chaos.page"


def test_of_a_soak_what_is_counted_is_shown_where_it_moved() -> None:
    page = soak({"edge MB": [50.0] * 20, "edge tasks": [7.0] * 20, "index files": [*[9.0] * 12, *[12.0] * 8]})
    assert page.splitlines()[2:] == ["| edge MB | 50.0 | 50.0 |", "| index files | 9.0 | 12.0 |"]


def test_only_what_is_marked_is_made_anew() -> None:
    page = "words <!-- runs -->old<!-- /runs --> more"
    assert marked(page, {"runs": "new"}) == "words <!-- runs -->\nnew\n<!-- /runs --> more"


def test_of_a_siege_each_phase_is_a_row_and_what_did_not_hold_is_marked() -> None:
    peace = Phase(
        delay_p99_ms=50, request_p99_ms={"post": 40, "(search itself)": 99}, megabytes={"edge": 100}
    )
    quiet = msgspec.structs.replace(peace, attackers=("idle",), seconds=30, answers={"idle": {"turns": 1}})
    worse = msgspec.structs.replace(quiet, deaths={"edge": 2}, stalls={"edge": 3, "index": 1})
    first, _, *table = siege(Siege(peace=peace, phases=[quiet, worse])).splitlines()
    assert first.startswith("60 s of attacks. **It did not hold**: edge ended 2 times; ")
    assert table[2:] == [
        "| peace | 50 ms | 40 ms | 0 ms | 0 | 0 | edge 100 MB |",
        "| idle | 50 ms | 40 ms | 0 ms | 0 | 0 | edge 100 MB |",
        "| idle: **not** | 50 ms | 40 ms | 0 ms | 4 | 2 | edge 100 MB |",
    ]
    assert siege(Siege(peace=peace, phases=[quiet])).startswith("30 s of attacks. It held.")
