"""Log lines about what somebody sends: of one reason one a second, and nothing is hidden."""

from typing import Any

from kernel.clock import ManualClock
from kernel.process.lines import Lines


class Paper:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def warning(self, sentence: str, **fields: Any) -> None:
        self.lines.append((sentence, fields))

    error = warning


def test_of_one_reason_a_line_a_second_is_written_with_how_many_others_there_were() -> None:
    clock, paper = ManualClock(), Paper()
    lines = Lines(paper, clock)  # type: ignore[arg-type]
    for number in range(1000):
        lines.warning("junk", "a.topic", topic="a.topic", offset=number)
    lines.warning("junk", "another.topic", topic="another.topic")
    lines.error("something else")
    assert paper.lines == [
        ("junk", {"topic": "a.topic", "offset": 0}),
        ("junk", {"topic": "another.topic"}),
        ("something else", {}),
    ]
    clock.advance(1.0)
    for number in range(10):
        lines.warning("junk", "a.topic", topic="a.topic", offset=1000 + number)
    assert paper.lines[3:] == [("junk", {"topic": "a.topic", "offset": 1000, "others": 999})]
