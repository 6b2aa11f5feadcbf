"""Logs are one line an event: JSON for machines, also what libraries say."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import logging
from kernel.process.logs import get_logger, setup_logs
setup_logs(role="edge", level="info", form="auto")
log = get_logger("touchline.edge")
log.debug("not shown")
log.info("edge is ready", port=18081)
logging.getLogger("aiokafka.consumer").info("not shown: a library's inner life")
logging.getLogger("aiokafka.consumer").warning("heartbeat %s", "failed")
"""


def test_each_event_is_one_json_line_on_standard_error_when_that_is_no_terminal() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert done.stdout == ""
    assert (first["event"], first["port"], first["role"], first["level"]) == (
        "edge is ready",
        18081,
        "edge",
        "info",
    )
    assert first["timestamp"].endswith("Z")
    assert (second["event"], second["logger"], second["level"]) == (
        "heartbeat failed",
        "aiokafka.consumer",
        "warning",
    )


AWAY = """
from elastic_transport import NodeConfig, NodePool, Urllib3HttpNode
from kernel.process.logs import setup_logs
setup_logs(role="gateway", form="json")
pool = NodePool([NodeConfig("http", "127.0.0.1", 9)], node_class=Urllib3HttpNode)
(node,) = pool.all()
for _ in range(3):
    pool.mark_dead(node)
pool.mark_live(node)
"""


def test_of_an_elasticsearch_that_is_away_one_line_is_logged_and_one_when_it_is_back() -> None:
    done = subprocess.run([sys.executable, "-c", AWAY], cwd=ROOT, capture_output=True, text=True, check=True)
    away, back = (json.loads(line)["event"] for line in done.stderr.splitlines())
    assert "has failed for 1 times" in away
    assert "has been marked alive" in back
