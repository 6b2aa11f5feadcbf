"""The canary's probes arrive, and are told as missed where they do not."""

from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from embedded.ports import find_free
from tests.pipeline import Pipeline, eventually, running

pytestmark = [pytest.mark.servers, pytest.mark.timeout(200)]


@pytest.fixture(scope="module")
def started(
    kafka_servers: str, elasticsearch_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """With a secret, so the canary needs a token; and an edge to watch that is not there."""
    given = {
        "TOUCHLINE_AUTH_SECRET": "a-secret-of-thirty-two-bytes-or-more",
        "TOUCHLINE_INDEXER_REFRESH_MS": "100",
        "TOUCHLINE_GATEWAY_CANARY_EVERY_S": "0.5",
    }
    logs = tmp_path_factory.mktemp("canary")
    edge, nobody = find_free(), find_free()
    edges = f"ws://127.0.0.1:{edge}/v1/ws,ws://127.0.0.1:{nobody}/v1/ws"
    own = {"TOUCHLINE_EDGE_PORT": str(edge), "TOUCHLINE_GATEWAY_CANARY_EDGES": edges}
    roles = ("stream", "index", "edge", "gateway")
    with running(kafka_servers, elasticsearch_url, logs, *roles, **given, **own) as pipeline:
        yield pipeline


def edge_of(pipeline: Pipeline) -> str:
    return pipeline.settings.gateway.canary_edges[0]


def told(pipeline: Pipeline, metric: str) -> dict[str, float]:
    """By its label, or under nothing."""
    with urlopen(f"{pipeline.gateway_url}/metrics", timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return {
        "".join(sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
        if sample.name == metric
    }


def test_probes_are_seen_at_the_edge_and_found(started: Pipeline) -> None:
    edge = edge_of(started)
    eventually(
        "three are seen", lambda: told(started, "touchline_canary_seen_seconds_count").get(edge, 0) >= 3
    )
    eventually(
        "three are found", lambda: told(started, "touchline_canary_found_seconds_count").get("", 0) >= 3
    )
    seen = told(started, "touchline_canary_seen_seconds_sum")[edge]
    assert 0 < seen / told(started, "touchline_canary_seen_seconds_count")[edge] < 5


def test_what_does_not_arrive_is_told(started: Pipeline) -> None:
    missed = told(started, "touchline_canary_missed_total")
    away = [where for where in missed if where.startswith("ws:") and where != edge_of(started)]
    assert away, "the edge that is not there is told"
    started.kill("edge")

    def missed_here() -> bool:
        return told(started, "touchline_canary_missed_total").get(edge_of(started), 0) > 0

    eventually("the edge that was killed is told", missed_here)
    before = told(started, "touchline_canary_seen_seconds_count")[edge_of(started)]
    started.start("edge")
    eventually(
        "it is seen again",
        lambda: told(started, "touchline_canary_seen_seconds_count")[edge_of(started)] > before,
    )
