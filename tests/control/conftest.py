"""Notes on a real Kafka: topics of a test's own, owners and readers that it may kill."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.control.rig import Rig


@pytest.fixture
def make_rig(kafka_servers: str, tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(partitions: int = 4) -> Rig:
        made.append(Rig(kafka_servers, tmp_path, partitions))
        return made[-1]

    yield make
    for rig in made:
        rig.close()
