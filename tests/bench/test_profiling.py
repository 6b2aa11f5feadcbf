"""What py-spy saw is told by function, with its hottest line, and without this machine's folders."""

from bench.profiling import reduced
from bench.report.page import ROOT, Hot, profiles

OURS = f"{ROOT}/kernel/clock.py"
RAW = f"""run (/usr/lib/python3.11/asyncio/runners.py:118);now_ms ({OURS}:1) 30
run (/usr/lib/python3.11/asyncio/runners.py:118);now_ms ({OURS}:2) 10
run (/usr/lib/python3.11/asyncio/runners.py:118) 40
main (/x/site-packages/websockets/server.py:9);encode (<string>:32) 20
"""


def test_samples_are_counted_where_they_were_and_not_in_who_called() -> None:
    profile = reduced("an edge", RAW)
    first_line = (ROOT / "kernel" / "clock.py").read_text("utf-8").splitlines()[0]
    assert profile.samples == 100
    assert profile.hot == (
        Hot(0.4, "kernel/clock.py", "now_ms", 1, first_line),
        Hot(0.4, "python3.11/asyncio/runners.py", "run", 118, ""),
        Hot(0.2, "<string>", "encode", 32, ""),
    )


def test_a_profile_is_a_table() -> None:
    shown = profiles({"edge": reduced("an edge", RAW)})
    assert shown.startswith("An edge (100 samples):\n\n| share |")
    assert "| 20.0 % | `<string>`, `encode` |  |" in shown
