"""The report says what was measured: ratios run by run, aims held or not; all of it from results alone."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.report.figures import Aim, Figure, Sample, Spread, judge, quantile, summarise
from bench.report.measurements import FIGURES, MEASUREMENTS
from bench.report.page import Result, Results, keep_pictures, merged, page
from bench.report.plots import PLOTS, decades, draw, ticks

RATE = Figure(
    "rate",
    "events",
    "/s",
    "bare",
    aims=(Aim("ours", "at least", 0.8, ratio=True), Aim("ours", "at most", 95)),
)
#: The machine is slow in the second run, for both.
SLOW_ONCE = [
    *(Sample("rate", "bare", 100), Sample("rate", "ours", 90)),
    *(Sample("rate", "bare", 50), Sample("rate", "ours", 45)),
    *(Sample("rate", "bare", 120), Sample("rate", "ours", 96)),
]


def test_a_ratio_is_taken_run_by_run_so_that_a_slow_machine_falls_out() -> None:
    _, ours = summarise(SLOW_ONCE, {"rate": RATE})
    assert ours.value == Spread(3, 90, 45, 96)
    assert ours.ratio == Spread(3, 0.9, 0.8, 0.9)


def test_where_runs_do_not_pair_the_reference_is_its_median() -> None:
    _, ours = summarise(SLOW_ONCE[:5], {"rate": RATE})
    assert ours.ratio == Spread(2, (90 + 45) / 2 / 100, 0.45, 0.9)


def test_who_has_nobody_beside_him_has_no_ratio() -> None:
    (alone,) = summarise([Sample("rate", "ours", 1)], {"rate": RATE})
    assert alone.ratio is None


def test_samples_of_what_is_not_listed_are_let_be() -> None:
    assert summarise([Sample("something else", "ours", 1)], {"rate": RATE}) == []


def test_aims_are_held_or_not_by_the_median() -> None:
    summaries = summarise(SLOW_ONCE, {"rate": RATE})
    assert [verdict.met for verdict in judge(summaries, RATE)] == [True, True]
    missed = Figure("rate", "", "", "bare", aims=(Aim("ours", "at least", 0.91, ratio=True),))
    assert [verdict.met for verdict in judge(summaries, missed)] == [False]
    beside = Figure("rate", "", "", aims=(Aim("bare", "at least", 1.2, ratio=True, of="ours"),))
    assert [verdict.met for verdict in judge(summaries, beside)] == [False]


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [(range(100), 0.5, 50), (range(100), 0.99, 99), ([3, 1, 2], 0.5, 2), ([3, 1, 2], 1.0, 3), ([7], 0.99, 7)],
)
def test_a_quantile_is_one_of_the_values(values: list[float], share: float, found: float) -> None:
    assert quantile(values, share) == found


def everything() -> Results:
    """A run in which each figure has three samples at two loads, of its reference and of who is asked."""
    results = []
    for measurement in MEASUREMENTS:
        samples = [
            Sample(figure.key, who, value, load)
            for figure in measurement.figures
            for who in {figure.reference or "somebody", *(aim.who for aim in figure.aims)}
            for load in sorted({aim.load for aim in figure.aims} or {1000.0})
            for value in (3.0, 1.0, 2.0)
        ]
        results.append(Result(measurement.name, "python -m x", 1, 0, "printed", tuple(samples)))
    whole = tuple(sample for result in results for sample in result.samples)
    summaries = tuple(summarise(whole, FIGURES))
    return Results("2026-01-01", "a machine", False, tuple(results), {"Centrifugo": "no binary|"}, summaries)


EMPTY = "".join(f"<!-- {mark} -->x<!-- /{mark} -->" for mark in ("aims", "measured", "peers"))


def test_the_page_has_every_measurement_aim_and_plot_and_says_which_peer_was_not_run() -> None:
    shown = page(f"words {EMPTY} more", everything())
    assert shown.startswith("words ")
    assert shown.endswith(" more")
    assert all(f"### {measurement.title}\n" in shown for measurement in MEASUREMENTS)
    assert all(f"(performance/{name.replace(' ', '-')}.svg)" in shown for name in PLOTS)
    asked = sum(len(figure.aims) for figure in FIGURES.values())
    others = sum(bool(aim.of) for figure in FIGURES.values() for aim in figure.aims)
    assert shown.count("| held |") + shown.count("| **short of it** |") == asked - others
    assert "| Centrifugo | was not run: no binary/ |" in shown
    assert page(shown, everything()) == shown


def test_a_measurement_that_failed_is_told() -> None:
    failed = Result("posting", "python -m x", 1, 1, "")
    shown = page(EMPTY, Results("", "", True, (failed,)))
    assert "exit code 1" in shown
    assert "make bench QUICK=1" in shown


def test_an_aim_that_nothing_was_measured_for_is_said_to_be_so() -> None:
    made = page(EMPTY, Results("2026-11-22", "here", False, ()))
    aims = sum(len(figure.aims) for figure in FIGURES.values())
    assert made.count("| not measured |") == aims > 0


def test_a_result_that_is_older_than_the_page_says_of_when_it_is() -> None:
    old = Result("posting", "python -m bench.producers", 1.0, 0, "said", when="2026-11-20")
    made = page(EMPTY, Results("2026-11-22", "here", False, (old,)))
    assert "(Measured on 2026-11-20.)" in made
    assert "Measured on 2026-11-22 by" in made


@pytest.mark.parametrize(
    ("stolen", "told"),
    [(0.031, True), (0.0004, False), (None, False)],
)
def test_the_page_tells_what_other_machines_took(stolen: float | None, told: bool) -> None:
    noisy = Result("posting", "python -m bench.producers", 1.0, 0, "said", stolen=stolen)
    made = page(EMPTY, Results("2026-11-22", "here", False, (noisy,)))
    assert ("Other machines took 3.1% of the processors meanwhile." in made) == told


def test_measuring_one_thing_anew_keeps_the_others_of_the_same_kind_only() -> None:
    old = everything()
    again = Results("2026-01-02", "a machine", False, (Result("kafka", "", 1, 0, "again"),))
    both = merged(old, again)
    assert [result.name for result in both.results] == [measurement.name for measurement in MEASUREMENTS]
    assert next(result.output for result in both.results if result.name == "kafka") == "again"
    quick = Results("", "", True, again.results)
    assert merged(old, quick) == quick


def test_plots_are_pictures_for_light_and_dark_with_a_name_for_each_line() -> None:
    drawn = draw(everything().summaries)
    assert set(drawn) == {name.replace(" ", "-") for name in PLOTS}
    for svg in drawn.values():
        root = ElementTree.fromstring(svg)  # noqa: S314 - ours
        assert root.get("aria-label")
        assert "prefers-color-scheme:dark" in svg
    assert "touchline p99" in drawn["worker-latency"]


def test_a_plot_that_nothing_is_there_for_any_more_goes(tmp_path: Path) -> None:
    keep_pictures({"scaling": "old", "memory": "old"}, tmp_path)
    (tmp_path / "notes.txt").touch()
    keep_pictures({"memory": "new"}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"memory.svg", "notes.txt"}
    assert (tmp_path / "memory.svg").read_text("utf-8") == "new"


def test_each_plot_is_shown_where_what_it_shows_is_measured() -> None:
    shown = [(name, measurement) for measurement in MEASUREMENTS for name in measurement.plots]
    assert sorted(name for name, _ in shown) == sorted(PLOTS)
    for name, measurement in shown:
        assert set(PLOTS[name].series.values()) <= {figure.key for figure in measurement.figures}


@pytest.mark.parametrize(
    ("most", "found"),
    [(10, [0, 2, 4, 6, 8, 10]), (0.9, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (1.6e6, [0, 5e5, 1e6, 1.5e6, 2e6])],
)
def test_axes_have_round_numbers_up_to_all_there_is(most: float, found: list[float]) -> None:
    assert ticks(most) == pytest.approx(found)


def test_a_logarithmic_axis_holds_what_is_there() -> None:
    assert decades(3, 450) == [1, 10, 100, 1000]
    assert decades(10, 10) == [10, 100]
