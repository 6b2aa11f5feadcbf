"""Ready means that it works: no role says so before what is posted through it can be written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from embedded.backends.servers import Servers
from tests.e2e.withheld import withheld
from tests.pipeline import Pipeline, eventually

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(400)]
ROLES = ("stream", "edge", "index", "outbox", "gateway")


def test_no_role_is_ready_while_the_brokers_give_its_producer_no_number(
    make_servers: Callable[..., Servers], elasticsearch_url: str, tmp_path: Path
) -> None:
    """As they do for ten seconds when they have just come back on old data."""
    servers = make_servers(doors=("late",), with_elasticsearch=False)
    servers.start()
    [broker] = servers.kafka.brokers
    [door] = broker.node.doors
    with withheld(door.advertised, door.port) as way:
        pipeline = Pipeline(f"127.0.0.1:{door.advertised}", elasticsearch_url, tmp_path)
        try:
            pipeline.start(*ROLES)
            for role in ROLES:
                pipeline.stop(role)
            way.hold()
            for role in ROLES:
                pipeline.launch(role)
            for role in ROLES:

                def only_that(role: str = role) -> bool:
                    assert not pipeline.is_ready(role)
                    return pipeline.problems(role) == {"producer": "not yet"}

                eventually(f"{role} lacks nothing but its number", only_that, within=180)
            way.let_go()
            for role in ROLES:
                eventually(f"{role} is ready", lambda role=role: pipeline.is_ready(role), within=180)  # type: ignore[misc]
            pipeline.run("publish", "chat:ready", "--text", "at once")
            watch = ("watch", "chat:ready", "--last", "1", "--count", "1", "--for", "20s")
            eventually("it is seen", lambda: "at once" in pipeline.run(*watch, check=False).stdout)
        finally:
            pipeline.close()
