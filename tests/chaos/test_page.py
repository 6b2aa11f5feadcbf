"""docs/reliability.md shows the runs as their reports have them, also what did not hold."""

from chaos.page import marked, runs, soak
from chaos.report import Report
from chaos.schedule import Blow

HELD = Report(
    seed=3, seconds=120, blows=[Blow(1, "kill", "index")], viewers=60, acknowledged=8286, shown=65102,
    recovered_s=8.5, findings={"nothing is lost": []},
)  # fmt: skip
BROKEN = Report(seed=2, seconds=120, blows=[], viewers=60, findings={"nothing is lost": ["k1"], "order": []})


def test_a_run_is_a_row_and_what_did_not_hold_is_named() -> None:
    *_, first, second = runs([HELD, BROKEN]).splitlines()
    assert first == "| 2 | 0 | 60 | 0 | 0 | 0 | **not**: nothing is lost | not |"
    assert second == "| 3 | 1 | 60 | 8,286 | 65,102 | 0 | all | 8.5 s |"


def test_of_a_soak_what_is_counted_is_shown_where_it_moved() -> None:
    page = soak({"edge MB": [50.0] * 20, "edge tasks": [7.0] * 20, "index files": [*[9.0] * 12, *[12.0] * 8]})
    assert page.splitlines()[2:] == ["| edge MB | 50.0 | 50.0 |", "| index files | 9.0 | 12.0 |"]


def test_only_what_is_marked_is_made_anew() -> None:
    page = "words <!-- runs -->old<!-- /runs --> more"
    assert marked(page, {"runs": "new"}) == "words <!-- runs -->\nnew\n<!-- /runs --> more"
