"""The Python client: the table of cases that every client runs, how long it waits, and its readers."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from consumers.client import driver
from consumers.client.driver import Reader
from consumers.client.machine.timing import back_off, renew_in
from schemas.events import Event
from tests.consumers.cases import Runner

TABLE = json.loads((Path(__file__).parents[2] / "shared" / "viewer_cases.json").read_text("utf-8"))


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_a_case_of_the_shared_table(case: dict[str, Any]) -> None:
    Runner(case, TABLE["defaults"]).run()


def test_back_off_is_full_jitter_up_to_a_limit_that_doubles_from_half_a_second_to_twenty() -> None:
    limits = [500, 1000, 2000, 4000, 8000, 16_000, 20_000, 20_000]
    assert [back_off(attempt, 1.0) for attempt in range(8)] == limits
    assert [back_off(attempt, 0.25) for attempt in range(8)] == [limit / 4 for limit in limits]
    assert back_off(10_000, 1.0) == 20_000
    assert back_off(5, 0.0) == 0


def token(claims: Any) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


@pytest.mark.parametrize(
    ("text", "renewed_in"),
    [
        (token({"exp": 3600}), 3_600_000 - 360_000),
        (token({"exp": 100}), 70_000),
        (token({"exp": 1}), 1000),
        (token({}), None),
        (token([]), None),
        ("opaque", None),
        ("a.b.c", None),
    ],
)
def test_a_token_is_renewed_before_it_runs_out(text: str, renewed_in: float | None) -> None:
    assert renew_in(text, 0) == renewed_in


async def test_a_reader_that_is_full_says_so_once_and_has_room_when_half_of_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(driver, "MAX_WAITING", 4)
    reader = Reader()
    events = [Event(stream="s", seq=n, id="", type="t", server_ts="", data={}) for n in range(1, 6)]
    assert [reader.put(event) for event in events] == [False, False, False, True, False]
    room = []
    for event in events:
        assert await reader.take() is event
        room.append(reader.has_room_again())
    assert room == [False, False, True, False, False]
