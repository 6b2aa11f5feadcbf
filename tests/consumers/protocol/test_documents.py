"""docs/protocol.md and docs/asyncapi.json say what the code does."""

import re
from pathlib import Path

from consumers.protocol.asyncapi import FILE, document, rendered
from consumers.protocol.messages import KNOWN_OPS
from kernel.close_codes import CLOSES, RETRY, Return, comes_back

TEXT = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text()


def test_asyncapi_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == rendered(), "run: python -m consumers.protocol.asyncapi"


def test_every_op_of_the_code_is_in_the_text() -> None:
    for op in KNOWN_OPS:
        assert f"`{op}`" in TEXT
    tags = [
        schema["properties"]["op"].get("enum", [schema["properties"]["op"].get("const")])[0]
        for schema in document()["components"]["schemas"].values()
        if "op" in schema.get("properties", {})
    ]
    for tag in tags:
        assert re.search(rf"`{tag}`|\"op\":\"{tag}\"", TEXT), tag


def test_every_close_code_is_in_the_table_with_what_it_asks_for() -> None:
    said = {Return.NEVER: "no", Return.BACK_OFF: "with back-off", Return.AT_ONCE: "at once"}
    rows = dict(re.findall(r"^\| (4\d\d\d) \|.*\| ([^|]+) \|$", TEXT, re.MULTILINE))
    assert rows.keys() == {str(int(code)) for code in CLOSES}
    for code, what in rows.items():
        assert what.startswith(said[comes_back(int(code))])


def test_unknown_close_codes_follow_their_band() -> None:
    assert comes_back(4099) is Return.NEVER
    assert comes_back(4199) is Return.BACK_OFF
    assert comes_back(4299) is Return.AT_ONCE
    assert comes_back(1006) is comes_back(4300) is Return.BACK_OFF


def test_the_error_codes_are_the_protocols() -> None:
    listed = "bad_request bad_channel invalid_event unknown_op unauthorized forbidden not_found too_large"
    listed += " exists too_many muted ended expired"
    assert set(RETRY) == {*listed.split(), "moderated", "rate_limited", "limit_reached", "unavailable"}
    said = TEXT.partition("`code` is one of")[2].partition("\n10.")[0]
    assert set(re.findall(r"`([a-z_]+)`", said.partition(";")[0])) == set(RETRY)
