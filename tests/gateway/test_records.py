"""What operators read over HTTP: records by topic and key, refused ones in full, and figures of hours."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from control.topic_tables.table import Row
from gateway.operators.past import Past
from gateway.operators.published_metrics import EVERY_MS, look_of
from gateway.operators.reading import shown_value
from kernel.log.kafka import client_config
from kernel.log.positions import Kind
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from schemas.codec import Codec
from schemas.registry import catalog_for
from tests.accepted import chat, write
from tests.gateway.asking import ask, token
from tests.gateway.conftest import NO_ELASTICSEARCH, SECRET
from tests.pipeline import Pipeline, running

pytestmark = [pytest.mark.timeout(300)]
OPERATOR = token("op", admin=("*",))
RECORDS = "/v1/ops/records"


@pytest.fixture(scope="module")
def kept(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs: Path = tmp_path_factory.mktemp("kept")
    given = {"TOUCHLINE_AUTH_SECRET": SECRET, "TOUCHLINE_GATEWAY_OPS_EVERY_S": "0.2"}
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "gateway", **given) as pipeline:
        yield pipeline


async def read(pipeline: Pipeline, topic: str, **params: str) -> dict[str, Any]:
    status, told = await ask(pipeline, RECORDS, OPERATOR, params={"topic": topic, **params})
    assert status == 200, told
    return dict(told)


async def test_records_are_read_page_by_page_the_newest_first_and_by_key(kept: Pipeline) -> None:
    topic = topic_names(kept.settings).events[Kind.CHAT]
    said = [chat(f"room-{n % 3}", n + 1, f"number {n}") for n in range(60)]
    write(kept.settings, Kind.CHAT, said)
    found: list[str] = []
    params: dict[str, str] = {"limit": "25"}
    while True:
        page = await read(kept, topic, **params)
        assert len(page["records"]) <= 25
        found += [record["value"]["data"]["text"] for record in page["records"]]
        if page["next"] is None:
            break
        params["before"] = page["next"]
    assert sorted(found) == sorted(one["data"]["text"] for one in said), "each once"
    first = (await read(kept, topic, key="room-1"))["records"]
    assert {record["key"] for record in first} == {"room-1"}
    assert first[0]["schema"].startswith("event-chat/")
    assert [record["at"] for record in first] == sorted((record["at"] for record in first), reverse=True)
    begins = (await read(kept, topic, key="room-*", limit="100"))["records"]
    assert len(begins) == 60
    assert await read(kept, topic, key="nobody") == {"records": [], "next": None}


async def test_what_is_no_avro_is_shown_as_it_is_and_long_values_are_cut(kept: Pipeline) -> None:
    topic = topic_names(kept.settings).ingest[Kind.BROADCAST]
    producer = Producer(client_config(kept.settings))
    long = json.dumps({"type": "x", "data": {"text": "é" * 100_000}})
    values = [
        b'{"type":"goal","data":{}}',
        b"\xff\xfe no text",
        b"\0\0\0\0\x01 no schema",
        long.encode(),
        None,
    ]
    for value in values:
        headers: Headers = [("touchline-signed", b"hidden"), ("touchline-origin", b"x" * 900)]
        producer.produce(topic, value, b"odd", 0, headers=headers)
    assert producer.flush(30) == 0
    records = (await read(kept, topic, partition="0"))["records"]
    gone, cut, unknown, bytes_, plain = records
    assert (plain["schema"], plain["value"]["type"]) == ("JSON", "goal")
    assert plain["headers"][0] == {"name": "touchline-signed", "value": "…"}
    assert len(plain["headers"][1]["value"]) == 300
    assert (bytes_["schema"], bytes_["text"]) == (None, "\\xff\\xfe no text")
    assert "schema id 1" in unknown["problem"]
    assert cut["cut"] is True
    assert len(cut["text"]) == 16 * 1024
    assert (gone["value"], gone["text"], gone["bytes"]) == (None, None, 0)


async def test_only_operators_read_records_and_figures_and_bad_requests_are_told(kept: Pipeline) -> None:
    topic = topic_names(kept.settings).events[Kind.CHAT]
    less = token("ana", admin=("chat:*",), subscribe=("*",), history=("*",), search=("*",))
    for path in (f"{RECORDS}?topic={topic}", "/v1/ops/topics", "/v1/ops/past", "/v1/rejections?place=a/0/1"):
        assert (await ask(kept, path, less))[0] == 403, path
        assert (await ask(kept, path, None))[0] == 401, path
    for params, status, code in (
        ({"topic": "__consumer_offsets"}, 404, "not_found"),
        ({"topic": topic, "partition": "77"}, 404, "not_found"),
        ({}, 400, "bad_request"),
        ({"topic": topic, "limit": "101"}, 400, "bad_request"),
        ({"topic": topic, "before": "0:x"}, 400, "bad_request"),
        ({"topic": topic, "key": "k" * 301}, 400, "bad_request"),
        ({"topic": topic, "keys": "a"}, 400, "bad_request"),
    ):
        assert (got := await ask(kept, RECORDS, OPERATOR, params=params))[0] == status, got
        assert got[1]["code"] == code
    assert (await ask(kept, "/v1/ops/past?minutes=0", OPERATOR))[1]["code"] == "bad_request"
    names = {one["topic"] for one in (await ask(kept, "/v1/ops/topics", OPERATOR))[1]["topics"]}
    assert {topic, topic_names(kept.settings).rejected} <= names


async def test_figures_of_hours_outlive_the_gateway(kept: Pipeline) -> None:
    async def looks() -> list[dict[str, Any]]:
        told = (await ask(kept, "/v1/ops/past?minutes=5", OPERATOR))[1]
        assert told["kept_hours"] == 24
        return list(told["looks"])

    async def until_there() -> list[dict[str, Any]]:
        until = time.monotonic() + 60
        while not (found := await looks()):
            assert time.monotonic() < until, "no look was kept"
        return found

    before = await until_there()
    assert before[0]["roles"][-1]["name"] == "gateway"
    kept.kill("gateway")
    kept.start("gateway")
    after = await until_there()
    assert after[0] == before[0], "read back from the topic"


def test_of_many_looks_the_peaks_are_told_and_the_oldest_go() -> None:
    codec, past = Codec("fanout"), Past(hours=1)

    def learn(at_ms: int, lag: int) -> None:
        sample = {"name": "touchline_consumer_lag", "labels": {"topic": "t", "partition": "3"}, "value": lag}
        role = {"name": "index", "state": "ready", "metrics": [sample]}
        value = codec.decode(look_of(codec, at_ms, at_ms, {"roles": [role]}))
        past.learn(Row("looks", value, 0, at_ms, at_ms))

    for n in range(1000):
        learn(n * EVERY_MS, 7777 if n == 900 else n % 5)
    assert past.since_ms == 999 * EVERY_MS - 3_600_000
    chosen = past.between(760 * EVERY_MS, 1000 * EVERY_MS, 20)
    assert 10 < len(chosen) <= 20
    assert max(look.lag for look in chosen) == 7777
    assert msgspec.json.decode(chosen[-1].text)["roles"][0]["sums"] == {"touchline_consumer_lag": {"t/": 4}}
    small = Past(hours=1, most_bytes=1000)
    small.learn(Row("looks", None, 0, 0, 0))
    assert small.since_ms is None


async def test_a_refused_record_is_shown_in_full_and_what_cannot_be_read_is_not_put_back(
    kept: Pipeline,
) -> None:
    names = topic_names(kept.settings)
    producer = Producer(client_config(kept.settings))
    for offset, reason in enumerate(("undecodable", "moderated")):
        said = {
            "reason": reason,
            "message": "It is not right.",
            "topic": names.ingest[Kind.CHAT],
            "partition": 0,
            "offset": offset,
            "append_ts": 1_767_225_600_000,
            "record_key": b"refused",
            "value": b'{"data":{"text":"spoiler"}}' if offset else b"not an event",
            "sender": "ana",
            "key": None,
        }
        producer.produce(names.rejected, Codec("rejection").encode(said), b"refused")
    assert producer.flush(30) == 0
    told = (await ask(kept, "/v1/rejections", OPERATOR))[1]["rejections"]
    assert {one["reason"]: one["retry"] for one in told} == {"undecodable": False, "moderated": True}
    place = {one["reason"]: one["place"] for one in told}
    [full] = (await ask(kept, f"/v1/rejections?place={place['moderated']}", OPERATOR))[1]["rejections"]
    assert full["payload"]["value"] == {"data": {"text": "spoiler"}}
    [full] = (await ask(kept, f"/v1/rejections?place={place['undecodable']}", OPERATOR))[1]["rejections"]
    assert full["payload"]["text"] == "not an event"
    assert (await ask(kept, "/v1/rejections?place=none/0/1", OPERATOR))[0] == 404
    again: dict[str, Any] = {"json": {"places": list(place.values())}, "method": "POST"}
    assert (await ask(kept, "/v1/rejections/retry", OPERATOR, **again))[1]["code"] == "bad_request"


@pytest.mark.parametrize("levels", [900, 1500, 100_000])
def test_what_is_nested_without_end_is_shown_as_text_and_ends_no_page(levels: int) -> None:
    deep, catalog = b'{"a":' + b"[" * levels + b"]" * levels + b"}", catalog_for(Settings())
    by_itself = shown_value(deep, catalog, {})
    if levels != 1500:  # Python 3.13 takes more than earlier ones
        assert (by_itself["text"] is None) == (levels == 900)
    refused = {
        **{"reason": "undecodable", "message": "m", "topic": "t", "partition": 0, "offset": 1},
        **{"append_ts": 1_767_225_600_000, "record_key": b"k", "value": deep, "sender": None, "key": None},
    }
    inside = shown_value(Codec("rejection", catalog).encode(refused), catalog, {})
    assert inside["schema"] == "rejection/v1"
    assert inside["value"] is not None or inside["cut"]
