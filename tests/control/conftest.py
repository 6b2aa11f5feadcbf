"""Notes on a real Kafka: topics of a test's own, owners and readers that it may kill."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.control.rig import Rig


@pytest.fixture
def make_rig(
    kafka_servers: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Rig]]:
    """Rigs whose tables are in SQLite, or in the store that a test is parametrized with."""
    made: list[Rig] = []
    store = getattr(request, "param", "sqlite")

    def make(partitions: int = 4) -> Rig:
        made.append(Rig(kafka_servers, tmp_path, partitions, store))
        return made[-1]

    yield make
    for rig in made:
        rig.close()
