"""What docs/rooms.md shows is run: curl, Python and JavaScript, and the command line beside them."""

import asyncio
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.examples import DOCS, example
from tests.pipeline import Pipeline, eventually, running
from tests.web.test_node import CLIENT, node

__all__ = ["node"]
NO_ELASTICSEARCH = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def open_(kafka_servers: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    logs = tmp_path_factory.mktemp("documented")
    with running(kafka_servers, NO_ELASTICSEARCH, logs, "stream", "edge", "gateway") as pipeline:
        yield pipeline


def test_with_curl(open_: Pipeline, tmp_path: Path) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = example("rooms.md", "bash").replace("http://127.0.0.1:18080", open_.gateway_url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True, timeout=240)
    seen = json.loads((tmp_path / "seen.json").read_text())["events"]
    shown = [event["data"].get("text") or event["data"]["what"] for event in seen]
    assert shown == ["created", "Hello!", "added", "role"]


def test_in_python(open_: Pipeline) -> None:
    space: dict[str, Any] = {}
    exec(example("rooms.md", "python"), space)  # noqa: S102 - it is ours
    heard = asyncio.run(space["talk"](open_.gateway_url, open_.edge_url))
    assert heard == ["created", "Hello!", "added"]
    assert asyncio.run(space["catch_up"](open_.edge_url)) == ("Hello!", 0)


def test_each_call_of_the_table_is_made_in_the_example_that_is_run() -> None:
    page, code = (DOCS / "rooms.md").read_text("utf-8"), example("rooms.md", "python")
    lines = page.partition("| a messenger's call")[2].splitlines()[2:]
    rows = [line.split(" | ") for line in itertools.takewhile(bool, lines)]
    calls = {row[0].strip("| "): row[-1].strip(" |`") for row in rows}
    assert calls.keys() >= {
        *("createChat", "sendMessage", "createAttachment", "getAttachmentTarget", "modifyChatParticipants"),
        *("newMessage", "chatUpdate", "ack"),
    }
    for name, call in calls.items():
        assert call in code, name


def test_in_javascript(open_: Pipeline, node: str, tmp_path: Path) -> None:
    program = example("rooms.md", "js").replace("http://127.0.0.1:18080", open_.gateway_url)
    program = program.replace('"@touchline/client"', f'"{(CLIENT / "dist" / "index.js").as_uri()}"')
    (tmp_path / "example.mjs").write_text(f"{program}\nconsole.log(mine.map((row) => row.name).join());")
    done = subprocess.run(
        [node, tmp_path / "example.mjs"], capture_output=True, text=True, timeout=240, check=True
    )
    assert "Study group" in done.stdout


def test_on_the_command_line(open_: Pipeline) -> None:
    def room(*arguments: str) -> dict[str, Any]:
        return open_.lines("room", *arguments, "--user", "cleo")[0]

    made = room("create", "By hand", "--id", "by-hand", "--member", "bob", "--history", "joined")
    assert (made["name"], made["history"], len(made["members"])) == ("By hand", "joined", 2)

    def listed() -> list[str]:
        return [row["room"] for row in open_.lines("room", "list", "--user", "cleo")]

    eventually("it is listed", lambda: listed() == ["by-hand"])
    changed = room("members", "by-hand", "--add", "dan", "--role", "bob=moderator")
    assert {one["user"]: one["role"] for one in changed["members"]}["bob"] == "moderator"
    assert room("show", "by-hand")["members"] == changed["members"]
    told = open_.run("room", "show", "by-hand", "--user", "eve", check=False)
    assert (told.returncode, "There is no room by-hand" in told.stderr) == (1, True)
    assert room("change", "by-hand", "--receipts", "--name", "By both hands")["receipts"] is True
    assert room("mute", "by-hand") == {"room": "by-hand", "muted": True}

    def rows() -> list[tuple[str, str, bool]]:
        found = open_.lines("inbox", "--user", "cleo")
        return [(row["room"], row["name"], row["muted"]) for row in found]

    eventually("the inbox shows it", lambda: rows() == [("by-hand", "By both hands", True)])
    assert "By both hands" in open_.run("inbox", "--user", "cleo").stdout
    assert open_.lines("user", "devices", "--user", "cleo") == []
    assert open_.lines("user", "disconnect", "cleo") == [{"user": "cleo"}]
    told = open_.run("user", "signout", "phone", "--user", "cleo", check=False)
    assert (told.returncode, "no device phone" in told.stderr) == (1, True)
    assert room("delete", "by-hand")["deleted"] is True
