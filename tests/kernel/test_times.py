"""Times as people write them: what span each stands for, in whose time zone, and what is no time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import from_rfc3339
from kernel.times import Moment, moment_of, span_ms, zone_of

NOW = "2026-06-11T19:00:00Z"
NOW_MS = from_rfc3339(NOW)
PARIS = zone_of("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "first", "behind"),
    [
        ("now", NOW, NOW),
        ("10m", "2026-06-11T18:50:00Z", "2026-06-11T18:50:00Z"),
        ("1.5h", "2026-06-11T17:30:00Z", "2026-06-11T17:30:00Z"),
        ("2w", "2026-05-28T19:00:00Z", "2026-05-28T19:00:00Z"),
        ("today", "2026-06-11T00:00:00+02:00", "2026-06-12T00:00:00+02:00"),
        ("Yesterday", "2026-06-10T00:00:00+02:00", "2026-06-11T00:00:00+02:00"),
        ("yesterday[Asia/Seoul]", "2026-06-11T00:00:00+09:00", "2026-06-12T00:00:00+09:00"),
        ("9:30", "2026-06-11T09:30:00+02:00", "2026-06-11T09:31:00+02:00"),
        ("2026-06-11", "2026-06-11T00:00:00+02:00", "2026-06-12T00:00:00+02:00"),
        ("2026-06-11[UTC]", "2026-06-11T00:00:00Z", "2026-06-12T00:00:00Z"),
        ("2026-12", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2025", "2025-01-01T00:00:00+01:00", "2026-01-01T00:00:00+01:00"),
        # The day on which clocks are set back has an hour more.
        ("2026-10-25", "2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
        ("2026-06-11T20:00", "2026-06-11T18:00:00Z", "2026-06-11T18:01:00Z"),
        ("2026-06-11 20:00:05[-03:00]", "2026-06-11T23:00:05Z", "2026-06-11T23:00:06Z"),
        ("2026-06-11T20:00:05.25", "2026-06-11T18:00:05.250Z", "2026-06-11T18:00:05.250Z"),
        ("2026-06-11T19:00:00Z", NOW, NOW),
        ("2026-06-11T21:00:00+02:00", NOW, NOW),
    ],
)
def test_what_a_time_stands_for(text: str, first: str, behind: str) -> None:
    found = moment_of(text, NOW_MS, PARIS)
    assert found[:2] == (from_rfc3339(first), from_rfc3339(behind))


@pytest.mark.parametrize(
    "text",
    ["", "soon", "now-1d", "2026-13", "2026-06-31", "25:00", "99999-01-01T00:00:00Z", "9" * 500 + "d",
     "2026-06-11[Mars/Utopia]", "2026-06-11[../../etc/passwd]", "٣m", "999999999w"],
)  # fmt: skip
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="no time"):
        moment_of(text, NOW_MS, PARIS)


@given(st.text(max_size=40) | st.text(alphabet="0123456789-:TZ+[]dhm /aUtcnow", max_size=30))
def test_any_text_is_a_time_or_is_refused(text: str) -> None:
    said, found = "no time", Moment(0, 0)
    try:
        found = moment_of(text, NOW_MS, PARIS)
    except ValueError as error:
        said = str(error)
    assert "no time" in said
    assert found.start <= found.end


def test_lengths_and_zones() -> None:
    assert (span_ms("10m"), span_ms("90 s"), span_ms("m"), span_ms("-3m")) == (600_000, 90_000, None, None)
    for name in ("Mars", "", "/etc/localtime", "..", "+25:00", "x" * 100):
        with pytest.raises(ValueError, match="time zone"):
            zone_of(name)
