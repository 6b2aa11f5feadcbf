"""How many events a second the JavaScript client takes in Node, from the edge of bench/fan_servers.

    python -m bench.node_client [RATE …]

The edge has core 0, Node core 1. Needs `make setup`; loopback only.
"""

import json
import subprocess
import sys
import time

from bench.edges import CONTROL, PORT, listening, running
from bench.fan_servers import STREAM
from tests.web.test_javascript import ROOT, load_build

SECONDS = 5
WATCH = ROOT / "clients/js/tests/edge/watch.mjs"


def measure(node: str, rate: int) -> None:
    count = rate * SECONDS
    with running(
        0, sys.executable, "-m", "bench.fan_servers", "edge", "--port", str(PORT), "--ctl", str(CONTROL)
    ):
        control = listening(CONTROL)
        listening(PORT).close()
        url = f"ws://127.0.0.1:{PORT}/v1/ws"
        watch = [
            "taskset",
            "-c",
            "1",
            node,
            str(WATCH),
            url,
            STREAM,
            "0",
            str(count),
        ]
        with subprocess.Popen([*watch, "quiet"], stdout=subprocess.PIPE, text=True) as viewer:
            # Time for Node to start: it begins at 0, so nothing that comes earlier is missed.
            start = time.time_ns() + 1_000_000_000
            control.sendall(f"pub {rate} {SECONDS} 0 200 1 {start}\n".encode())
            with control.makefile() as answers:
                late = answers.readline().split()[2]
            said = json.loads(viewer.communicate(timeout=60)[0])
        control.close()
    taken, each = said["seen"] / said["ms"] * 1000, 1000 * said["cpu_ms"] / said["seen"]
    order = "in order" if said["ordered"] else "DISORDER"
    print(f"{rate:8,}/s offered, at most {late} ms late: {taken:8,.0f}/s taken, {each:5.1f} us each, {order}")


if __name__ == "__main__":
    build = load_build()
    assert build.install()
    assert build.build_client()
    for wanted in sys.argv[1:] or ["5000", "20000", "40000"]:
        measure(str(build.NODE), int(wanted))
