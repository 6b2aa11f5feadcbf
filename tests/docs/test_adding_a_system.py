"""The example of docs/adding-a-system.md is code, and does what the page says."""

import asyncio
import re
import secrets
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from control.entity.fold import Input
from kernel.clock import SystemClock
from kernel.errors import TouchlineError
from kernel.log.records import Partition, Record
from kernel.settings.reading import load_settings
from tests.control.rig import until

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-system.md"


@pytest.fixture(scope="module")
def page() -> Any:
    """The page's code as a module."""
    module = types.ModuleType("adding_a_system")
    sys.modules[module.__name__] = module
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), module.__dict__)  # noqa: S102 - it is ours
    return module


def test_the_fold_counts_refuses_and_takes_away(page: Any) -> None:
    def given(**value: str) -> Input:
        return Input(b"ana", value, 0, "in-0", 0)

    [change] = page.fold(given(text="here"), lambda _: page.Status("gone", 3))
    assert (change.key, change.state.text, change.state.times) == (b"ana", "here", 4)
    assert page.fold(given(), lambda _: None)[0].state is None
    with pytest.raises(TouchlineError, match="at most 100"):
        page.fold(given(text="x" * 101), lambda _: None)


async def test_a_status_goes_from_an_input_to_who_watches(
    page: Any, kafka_servers: str, tmp_path: Path
) -> None:
    name = f"s{secrets.token_hex(4)}"
    inputs, states = f"{name}.inputs", f"{name}.statuses"
    new = [NewTopic(topic, 1) for topic in (inputs, f"{inputs}.refused")]
    new.append(NewTopic(states, 1, config={"cleanup.policy": "compact"}))
    admin = AdminClient({"bootstrap.servers": kafka_servers})
    for made in admin.create_topics(new).values():
        made.result(60)
    settings = load_settings(
        {
            "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": kafka_servers,
            "TOUCHLINE_TOPICS_PREFIX": name,
            "TOUCHLINE_STATE_DIR": str(tmp_path),
        }
    )
    type_, ready = page.status_type(states), asyncio.Event()
    tables = page.tables_of(settings, "example", type_, SystemClock(), ready.set)
    tables.start()
    await asyncio.wait_for(ready.wait(), 120)
    owner, producer = page.owner_of(type_, inputs, tables), Producer({"bootstrap.servers": kafka_servers})
    await owner.opening([0], topic_id="AbCdEfGhIj", inputs=1, partitions={states: 1})
    told: list[str] = []
    page.greet(tables, type_, "ana", told.append)

    def post(offset: int, value: bytes) -> list[str]:
        """What the worker does with an input; returns the topics that it wrote to."""
        writes = owner.fold(Partition(inputs, 0), [Record(offset, 1000, b"ana", value)])
        for write in writes:
            producer.produce(write.topic, write.value, write.key, write.partition, headers=write.headers)
        assert producer.flush(60) == 0
        return [write.topic for write in writes]

    assert post(0, msgspec.json.encode({"text": "here"})) == [states]
    assert post(0, msgspec.json.encode({"text": "here"})) == []  # read again
    assert post(1, msgspec.json.encode({"text": "x" * 101})) == [f"{inputs}.refused"]
    assert post(2, msgspec.json.encode({})) == [states]
    assert told == ["", "here", ""]
    await until("the topic says so too", lambda: tables.view(type_).get("ana") is None)
    await tables.stop()
