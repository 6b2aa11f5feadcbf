"""A worker, a gateway, an edge and an outbox, on the tests' servers; what must be quick is set quick."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.outbox.mailserver import Mails, mail_server
from tests.pipeline import Pipeline, running

#: Nothing listens there: history comes from the log.
NO_ELASTICSEARCH = "http://127.0.0.1:9"


@pytest.fixture(scope="package")
def mails() -> Iterator[Mails]:
    """What is e-mailed."""
    with mail_server() as server:
        yield server


@pytest.fixture(scope="package")
def posting(kafka_servers: str, mails: Mails, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """They run, without Elasticsearch."""
    logs: Path = tmp_path_factory.mktemp("posting")
    given = {
        "TOUCHLINE_OUTBOX_FIRST_RETRY_S": "0.2",
        "TOUCHLINE_OUTBOX_MAX_RETRY_S": "2",
        "TOUCHLINE_OUTBOX_TIMEOUT_S": "3",
        # For as long as that tests have receivers fail: what is given up meanwhile never comes.
        "TOUCHLINE_OUTBOX_GIVE_UP_S": "20",
        "TOUCHLINE_OUTBOX_USER_WEBHOOKS": "true",
        "TOUCHLINE_OUTBOX_MAIL_SERVER": mails.url,
        "TOUCHLINE_OUTBOX_MAIL_FROM": "touchline@example.com",
        "TOUCHLINE_OUTBOX_MAIL_TO": "{user}@example.com",
        "TOUCHLINE_OUTBOX_MAIL_EVERY_S": "2",
    }
    roles = ("stream", "gateway", "edge", "outbox")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, *roles, **given) as pipeline:
        yield pipeline
