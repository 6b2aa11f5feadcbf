"""@touchline/client in empty folders: from its folder, as a tarball, and as one file of a gateway."""

import json
import subprocess
import tarfile
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from gateway.pages.pages import page_routes
from kernel.settings.reading import load_settings
from tests.web.test_javascript import ROOT, load_build

CLIENT = ROOT / "clients" / "js"
#: What a program does first, with nothing at the other end.
PROGRAM = """
import { connect, storedCursors, TouchlineError } from "@touchline/client";
const client = connect({ url: "ws://127.0.0.1:9/v1/ws" });
const end = client.subscribe("chat:x", { onEvent: () => undefined });
end();
client.close();
console.log(client.status.state, typeof storedCursors, new TouchlineError("closed", "x") instanceof Error);
"""
HOOKS = """
import { createElement } from "react";
import { create } from "react-test-renderer";
import { useStatus, useStream, useTouchline } from "@touchline/client/react";
function Chat() {
  const client = useTouchline("ws://127.0.0.1:9/v1/ws");
  const { events } = useStream(client, "chat:x", { last: 5 });
  return `${useStatus(client).state} ${events.length}`;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = false;
console.error = () => undefined;
const tree = create(createElement(Chat));
const later = () => new Promise((resolve) => setTimeout(resolve, 5));
while (!/^(connecting|waiting) 0$/.test(tree.toJSON())) await later();
tree.unmount();
console.log("drawn, and gone");
"""
TYPED = """
import { connect, type StreamEvent } from "@touchline/client";
import { useStream, type Shown } from "@touchline/client/react";
const stream = connect({ url: "ws://x" }).stream("chat:x");
export const first = async (): Promise<StreamEvent | undefined> => (await stream.next()).value;
export const wrong: number = useStream(null, "chat:x");
export const right: Shown = useStream(null, "chat:x", { last: 1 });
"""


@pytest.fixture(scope="module")
def build() -> ModuleType:
    build = load_build()
    if not build.install():
        pytest.skip("the npm packages could not be installed: is the registry in reach?")
    assert build.ready(), "the pages are not built"
    assert build.build_client(), "the client does not compile"
    return build


def run(build: ModuleType, folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(build.NODE), *arguments], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def install(build: ModuleType, into: Path, *packages: Path) -> None:
    """`npm install` in an empty folder, with no registry to ask."""
    (into / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
    quiet = ("--offline", "--no-audit", "--no-fund", "--loglevel=error")
    run(build, into, str(build.NPM), "install", *quiet, *map(str, packages))


@pytest.fixture(scope="module")
def tarball(build: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    packed: Path = build.pack_client(tmp_path_factory.mktemp("packed"))
    return packed


def test_a_tarball_has_what_is_used_and_nothing_else(tarball: Path) -> None:
    with tarfile.open(tarball) as files:
        names = {name.removeprefix("package/") for name in files.getnames()}
    assert {
        "package.json",
        "LICENSE",
        "README.md",
        "dist/index.js",
        "dist/react.js",
        "dist/index.d.ts",
    } <= names
    assert {name.partition("/")[0] for name in names} == {"package.json", "LICENSE", "README.md", "dist"}
    assert not [name for name in names if "test" in name]


@pytest.mark.parametrize("source", ["folder", "tarball"])
def test_the_client_is_installed_and_runs_with_nothing_beside_it(
    build: ModuleType, tarball: Path, tmp_path: Path, source: str
) -> None:
    install(build, tmp_path, CLIENT if source == "folder" else tarball)
    there = [path.name for path in (tmp_path / "node_modules").iterdir() if not path.name.startswith(".")]
    assert there == ["@touchline"], "no dependency, and no React unless one is asked for"
    (tmp_path / "program.js").write_text(PROGRAM)
    assert run(build, tmp_path, "program.js") == "closed function true"


def test_hooks_run_in_the_react_of_the_program(build: ModuleType, tarball: Path, tmp_path: Path) -> None:
    modules = ROOT / "node_modules"
    names = ("react", "react-test-renderer", "react-is", "scheduler")
    install(build, tmp_path, tarball, *(modules / name for name in names))
    (tmp_path / "program.js").write_text(HOOKS)
    assert run(build, tmp_path, "--preserve-symlinks", "program.js") == "drawn, and gone"


def test_a_type_checker_knows_both_entries(build: ModuleType, tarball: Path, tmp_path: Path) -> None:
    install(build, tmp_path, tarball, ROOT / "node_modules" / "@types" / "react")
    (tmp_path / "program.ts").write_text(TYPED)
    tsc = str(ROOT / "node_modules/typescript/bin/tsc")
    options = ("--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--types", "")
    done = subprocess.run(
        [str(build.NODE), tsc, *options, "program.ts"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    (mistake,) = done.stdout.splitlines()
    assert mistake.startswith("program.ts(6,14): error TS2322"), done.stdout


async def test_a_gateway_serves_the_client_to_pages_of_any_site(build: ModuleType, tmp_path: Path) -> None:
    application = web.Application()
    application.add_routes(page_routes(load_settings({})))
    async with TestClient(TestServer(application)) as client:
        async with client.get("/client.js") as answer:
            text = await answer.text()
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
            assert answer.headers["Cache-Control"] == "no-cache"
            assert answer.headers["Access-Control-Allow-Origin"] == "*", "a module of another origin needs it"
            unchanged = {"If-None-Match": answer.headers["ETag"]}
        async with client.get("/client.js", headers=unchanged) as again:
            assert again.status == 304
    (tmp_path / "client.js").write_text(text)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "program.js").write_text(PROGRAM.replace("@touchline/client", "./client.js"))
    assert run(build, tmp_path, "program.js") == "closed function true"
