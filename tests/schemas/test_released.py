"""What has been released stays as it is: schema files with their ids, and what topics are.

tests/schemas/released.json says how each of them was when it first came. Records of every version lie on
logs, and roles of two versions run side by side, so a change is a new version of a schema, or a new topic.
"""

import copy
import hashlib
import json
from pathlib import Path
from typing import Any, Final

import pytest

from kernel.log.topics import Topic, topics
from kernel.settings.reading import Settings
from schemas.catalog import Version, built_in

TABLE: Final = Path(__file__).with_name("released.json")
RELEASED: Final[dict[str, dict[str, dict[str, Any]]]] = json.loads(TABLE.read_text("utf-8"))


def canonical(schema: Any) -> Any:
    """All of a schema but its texts. Avro's own canonical form leaves out defaults and logical types as well:
    of these one is what readers of older values get, and the other what a number means."""
    if isinstance(schema, list):
        return [canonical(part) for part in schema]
    if isinstance(schema, dict):
        # A default is a value: what is called `doc` in there is data.
        return {k: v if k == "default" else canonical(v) for k, v in schema.items() if k != "doc"}
    return schema


def fingerprint(schema: Any) -> str:
    text = json.dumps(canonical(schema), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def schemas_now() -> dict[str, dict[str, Any]]:
    catalog = built_in()
    return {
        str(version): {"id": catalog.id_of(version), "fingerprint": fingerprint(schema)}
        for version, schema in catalog.schemas.items()
    }


def topic_now(topic: Topic) -> dict[str, Any]:
    """What readers and owners rely on. How long it is kept, and in how many partitions, operators may say."""
    return {
        "key": topic.key,
        "schema": topic.value,
        "cleanup.policy": topic.config["cleanup.policy"],
        "message.timestamp.type": topic.config.get("message.timestamp.type", "CreateTime"),
        "partitions": "one" if topic.partitions == 1 else "many",
    }


def topics_now() -> dict[str, dict[str, Any]]:
    settings = Settings()
    return {
        topic.name.removeprefix(f"{settings.topics.prefix}."): topic_now(topic) for topic in topics(settings)
    }


NOW: Final = {"schemas": schemas_now(), "topics": topics_now()}
#: What to do instead of changing one.
INSTEAD: Final = {
    "schemas": "put it back, and write a new version, with an id of its own in schemas/ids.json",
    "topics": "put it back, and give what is new a topic of its own, as acks took over from cursors",
}


def faults(sort: str, released: dict[str, dict[str, Any]], now: dict[str, dict[str, Any]]) -> list[str]:
    """Sentences on what is not as it was released, or not noted as released."""
    found = []
    for name, was in released.items():
        if name not in now:
            found.append(f"{sort}: {name} is gone, and lies on logs that are to be read: put it back.")
        elif now[name] != was:
            fields = [field for field in was | now[name] if was.get(field) != now[name].get(field)]
            changes = ", ".join(
                f"{field} was {was.get(field)} and is {now[name].get(field)}" for field in fields
            )
            found.append(f"{sort}: {name} was released otherwise ({changes}): {INSTEAD[sort]}.")
    for name in now.keys() - released.keys():
        line = f"{json.dumps(name)}: {json.dumps(now[name])}"
        found.append(f"{sort}: {name} is new: add this line to {sort} of tests/schemas/{TABLE.name}: {line}")
    return found


@pytest.mark.parametrize("sort", ["schemas", "topics"])
def test_what_was_released_is_as_it_was_and_what_is_new_is_noted(sort: str) -> None:
    found = faults(sort, RELEASED[sort], NOW[sort])
    assert not found, "\n".join(found)


def changed(sort: str, name: str, **fields: Any) -> list[str]:
    """What is said of one that is changed."""
    now = copy.deepcopy(RELEASED[sort])
    now[name].update(fields)
    return faults(sort, RELEASED[sort], now)


def test_a_schema_that_is_edited_in_place_is_told() -> None:
    schema = copy.deepcopy(built_in().schemas[Version("event-chat", 1)])
    schema["fields"][0]["doc"] = "Other words."
    assert fingerprint(schema) == RELEASED["schemas"]["event-chat/v1"]["fingerprint"], "texts may change"
    found = set[str]()
    for edit in (
        {"name": "app", "type": ["null", "string"], "default": None},  # compatible, and still another schema
        {"name": "app", "type": "long", "default": 1},
        {"name": "app", "type": "long", "default": 2},
        {"name": "app", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 2},
    ):
        other = fingerprint({**schema, "fields": [*schema["fields"], edit]})
        [said] = changed("schemas", "event-chat/v1", fingerprint=other)
        assert "event-chat/v1 was released otherwise" in said
        found.add(other)
    assert len(found) == 4, "defaults and logical types count"
    [said] = changed("schemas", "event-chat/v1", id=1)
    assert "id was 1414266885 and is 1" in said


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key", "user"),
        ("schema", "fanout"),
        ("cleanup.policy", "delete"),
        ("message.timestamp.type", "LogAppendTime"),
        ("partitions", "one"),
    ],
)
def test_a_topic_that_becomes_another_one_is_told(field: str, value: str) -> None:
    [said] = changed("topics", "channels", **{field: value})
    assert f"{field} was {RELEASED['topics']['channels'][field]} and is {value}" in said


def test_what_goes_and_what_comes_is_told_with_what_to_do() -> None:
    now = dict(RELEASED["topics"])
    now["channels-2"] = now.pop("channels")
    gone, new = faults("topics", RELEASED["topics"], now)
    assert gone == "topics: channels is gone, and lies on logs that are to be read: put it back."
    assert new.startswith(
        "topics: channels-2 is new: add this line to topics of tests/schemas/released.json: "
    )
