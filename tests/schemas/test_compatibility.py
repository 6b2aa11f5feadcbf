"""Every version of every schema reads its predecessor's values, and is read by it."""

import copy
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from schemas.catalog import AVSC, Version, built_in
from schemas.compatibility import incompatibilities

EVENT = built_in().schemas[Version("event-chat", 1)]


def test_each_version_is_compatible_with_the_one_before() -> None:
    for name in built_in().names:
        for old, new in pairwise(built_in().versions(name)):
            assert incompatibilities(built_in().schemas[old], built_in().schemas[new]) == [], (
                f"{old} -> {new}"
            )


def test_every_schema_file_has_an_id_and_versions_have_no_gaps() -> None:
    files = {Version(path.parent.name, int(path.stem[1:])) for path in AVSC.glob("*/v*.avsc")}
    assert files == set(built_in().schemas)
    for name in built_in().names:
        assert [version.number for version in built_in().versions(name)] == list(
            range(1, len(built_in().versions(name)) + 1)
        )
    assert len(built_in().ids) == len(files)


def changed(change: Callable[[dict[str, dict[str, Any]], list[Any]], None]) -> Any:
    new = copy.deepcopy(EVENT)
    change({field["name"]: field for field in new["fields"]}, new["fields"])
    return json.loads(json.dumps(new))


@pytest.mark.parametrize(
    "change",
    [
        lambda fields, all_: all_.append({"name": "app", "type": "string", "default": "", "doc": "x"}),
        lambda fields, all_: all_.remove(fields["sender"]),
        lambda fields, all_: fields["type"].update(doc="Other words."),
        lambda fields, all_: fields["data"]["type"]["fields"].append(
            {"name": "app", "type": ["null", "string"], "default": None}
        ),
    ],
    ids=["new with a default", "one with a default goes", "documentation", "new inside"],
)
def test_what_may_change(change: Any) -> None:
    assert incompatibilities(EVENT, changed(change)) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda fields, all_: all_.append({"name": "app", "type": "string"}), "backward: app has no default"),
        (lambda fields, all_: all_.remove(fields["seq"]), "forward: seq has no default"),
        (lambda fields, all_: fields["seq"].update(type="string"), "backward: seq was written as long"),
        (lambda fields, all_: fields["server_ts"].update(type="long"), "timestamp-millis"),
        (lambda fields, all_: fields["sender"].update(type="string"), "sender may be null"),
        (
            lambda fields, all_: fields["data"]["type"]["fields"].append({"name": "app", "type": "int"}),
            "backward: data.app has no default",
        ),
    ],
    ids=[
        "new without a default",
        "one without a default goes",
        "type",
        "time",
        "not null any more",
        "inside",
    ],
)
def test_what_may_not_change_is_said(change: Any, says: str) -> None:
    assert any(says in sentence for sentence in incompatibilities(EVENT, changed(change)))
