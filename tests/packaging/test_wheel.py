"""The wheel, in environments where nothing else is, beside folders with names like Touchline's own."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from kernel.process.probe import answers
from tests.packaging.wheels import ROOT, Environment, build, names
from tests.pipeline import Pipeline, eventually
from tests.web.test_javascript import load_build

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
INSIDE = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["inside"]
#: Where nobody listens.
NOBODY = {
    "TOUCHLINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "TOUCHLINE_EDGE_PORT": "9",
    "TOUCHLINE_GATEWAY_PORT": "9",
    "TOUCHLINE_PRODUCER_CONNECT_TIMEOUT_S": "0.5",
}
#: What the smallest installation is for, and what it says where no server is.
CLIENTS = {
    ("publish", "broadcast:x", "--text", "a"): "Kafka does not answer at 127.0.0.1:9",
    ("watch", "broadcast:x"): "No edge answers at ws://127.0.0.1:9/v1/ws",
    ("search", "x"): "No gateway answers at http://127.0.0.1:9",
    ("rejected",): "Kafka does not answer at 127.0.0.1:9",
    ("simulate", "x"): "Kafka does not answer at 127.0.0.1:9",
    ("topics", "apply"): "Kafka does not answer at 127.0.0.1:9",
    ("edge", "drain"): "No edge answers at http://127.0.0.1:9",
}
#: A user's program, beside a folder `schemas` of their own.
PROGRAM = """
import asyncio, os
import schemas
from touchline import Chat, Event, Producer, SyncProducer, Viewer

async def main():
    async with Viewer(os.environ["EDGE"]) as viewer, Producer() as producer:
        events = viewer.stream("chat:wheel", after=0)
        await producer.send_many([Chat("wheel", "Here we go!", sender="ana")])
        first = await anext(events)
        await asyncio.to_thread(from_a_thread)
        second = await anext(events)
        assert isinstance(first, Event) and second.prev == first.seq
        print(schemas.MINE, 0, first.data["text"], 1, second.data["text"])
        await events.aclose()

def from_a_thread():
    with SyncProducer() as producer:
        producer.chat("wheel", "From a thread")

asyncio.run(asyncio.wait_for(main(), 120))
"""
#: A repository's pyproject.toml, as small as can be.
SMALL = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "touchline"
version = "1"
[tool.hatch.build.targets.wheel]
packages = ["touchline"]
[tool.hatch.build.targets.wheel.hooks.custom]
inside = ["kernel"]
"""
#: Modules that find files beside them.
MODULES = ("consumers.delivery.broadcast", "embedded.backends.pins", "gateway.pages.pages", "schemas.catalog")
LARGER = {
    "server": ("stream", "edge", "index", "gateway", "alert list", "channel show x", "token ana"),
    "embedded": ("up", "down", "status", "doctor", "chaos"),
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def smallest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install touchline`."""
    return Environment(tmp_path_factory.mktemp("smallest") / "env", wheel)


@pytest.fixture(scope="module")
def largest(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """All that there is."""
    return Environment(tmp_path_factory.mktemp("largest") / "env", wheel, "embedded,rocksdb,s3")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's own folders, each named like one of ours, and not to be mistaken for it."""
    for name in INSIDE:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"MINE = {name!r}\n")
    return tmp_path


def test_the_only_name_that_a_wheel_brings_is_touchline(wheel: Path) -> None:
    there = names(wheel)
    assert {name.partition("/")[0] for name in there if ".dist-info/" not in name} == {"touchline"}
    assert {"touchline/py.typed", *(f"touchline/{name}/__init__.py" for name in INSIDE)} <= set(there)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in there)


def test_a_wheel_is_the_same_when_it_is_built_from_a_source_distribution(wheel: Path, tmp_path: Path) -> None:
    archive = build(tmp_path / "sdist", target="sdist")
    shutil.unpack_archive(archive, tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.name.startswith("touchline-"))
    assert names(build(tmp_path / "again", source=source)) == names(wheel)


@pytest.fixture
def small_project(tmp_path: Path) -> Path:
    """A repository like this one, with one folder that its wheel carries, and one that it does not."""
    for name in ("hatch_build.py", "hatch_imports.py"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "pyproject.toml").write_text(SMALL)
    for file in ("kernel/clock.py", "touchline/__init__.py", "tests/pipeline.py"):
        (tmp_path / file).parent.mkdir()
        (tmp_path / file).write_text("")
    return tmp_path


def stopped(source: Path) -> str:
    """Why a wheel is not built."""
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build(source / "dist", source=source)
    assert "Traceback" not in failed.value.stderr
    return str(failed.value.stderr)


def test_a_build_that_cannot_map_a_name_fails_and_says_where(small_project: Path) -> None:
    (small_project / "touchline/fine.py").write_text("import kernel.clock\n")
    assert "touchline/kernel/clock.py" in names(build(small_project / "dist", source=small_project))
    (small_project / "kernel/one.py").write_text("from tests.pipeline import running\n")
    (small_project / "kernel/two.py").write_text("\nimport kernel.nowhere\n")
    (small_project / "touchline/three.py").write_text('CLOCK = "kernel.clock"\n')
    said = stopped(small_project)
    assert "kernel/one.py:1: the wheel has no module tests.pipeline" in said
    assert "kernel/two.py:2: the wheel has no module kernel.nowhere" in said
    assert "touchline/three.py:1: 'kernel.clock' is another name in the wheel" in said


def test_two_modules_that_would_be_one_stop_the_build(small_project: Path) -> None:
    (small_project / "touchline/kernel").mkdir()
    (small_project / "touchline/kernel/clock.py").write_text("")
    assert "kernel/clock.py and touchline/kernel/clock.py would both be" in stopped(small_project)


def test_the_smallest_installation_has_only_what_clients_need(smallest: Environment, project: Path) -> None:
    code = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"
    there = smallest.says(code, cwd=project).split()
    needed = {re.split(r"[<>=\[]", text)[0] for text in PROJECT["project"]["dependencies"]}
    assert set(there) == {"touchline", *needed}
    assert len(needed) <= 6, "it is to stay small"


def test_every_public_name_is_there_beside_folders_of_any_name(smallest: Environment, project: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(project)!r})
import {", ".join(INSIDE)}
import touchline
for name in touchline.__all__:
    value = getattr(touchline, name)
    assert getattr(value, "__module__", "touchline").split(".")[0] in ("touchline", "types", "typing"), name
from touchline import *
print(*({"+".join(f"[{name}.MINE]" for name in INSIDE)}))
assert "wrong" not in dir(touchline) and "Viewer" in dir(touchline)
"""
    assert smallest.says(code, cwd=project).split() == INSIDE


def test_a_type_checker_sees_what_a_program_imports(smallest: Environment, project: Path) -> None:
    program = project / "program.py"
    program.write_text(
        "from touchline import Event, Producer, Viewer\n"
        "async def main(producer: Producer, viewer: Viewer, event: Event) -> None:\n"
        "    reveal_type(await producer.chat('x', 'hi'))\n"
        "    reveal_type(viewer.status)\n"
        "    reveal_type(event.seq)\n"
        "    await producer.chat(1)\n"
    )
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", smallest.python, "program.py"]
    env = {name: value for name, value in os.environ.items() if name != "MYPYPATH"}
    done = subprocess.run(mypy, cwd=project, env=env, capture_output=True, text=True, check=False)
    assert "touchline.producers.sending.delivery.Delivered" in done.stdout, done.stderr
    assert "touchline.consumers.client.machine.host.Closed |" in done.stdout
    assert 'Revealed type is "int"' in done.stdout.replace("builtins.", "")
    assert "Found 2 errors" in done.stdout, "the wrong call, and nothing in Touchline itself"


def test_commands_for_clients_work_in_the_smallest_installation(smallest: Environment, project: Path) -> None:
    version = smallest.run(smallest.touchline, "--version", cwd=project)
    assert (
        version.stdout
        == f"touchline {smallest.says('import touchline; print(touchline.__version__)', cwd=project)}\n"
    )

    def call(arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return smallest.run(smallest.touchline, *arguments, cwd=project, **NOBODY)

    with ThreadPoolExecutor(len(CLIENTS)) as pool:  # each waits a while for somebody to answer
        answers = list(pool.map(call, CLIENTS))
    for (arguments, said), done in zip(CLIENTS.items(), answers, strict=True):
        assert said in done.stderr, arguments
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.returncode == 1


@pytest.mark.parametrize("extra", LARGER)
def test_a_command_that_needs_more_says_in_a_sentence_what(
    smallest: Environment, project: Path, extra: str
) -> None:
    for arguments in LARGER[extra]:
        done = smallest.run(smallest.touchline, *arguments.split(), cwd=project, **NOBODY)
        assert re.fullmatch(rf"touchline: .* run pip install 'touchline\[{extra}\]'\.\n", done.stderr), done
        assert done.returncode == 1


def test_a_producer_that_is_to_use_a_registry_says_what_it_lacks(
    smallest: Environment, project: Path
) -> None:
    given = {**NOBODY, "TOUCHLINE_SCHEMA_REGISTRY_URL": "http://127.0.0.1:9"}
    done = smallest.run(smallest.touchline, "publish", "chat:x", "--text", "a", cwd=project, **given)
    assert done.stderr == (
        "touchline: A schema registry of your own needs more than is installed: "
        "run pip install 'touchline[registry]'.\n"
    )


def test_every_module_of_a_wheel_can_be_imported_and_has_its_files(
    largest: Environment, project: Path
) -> None:
    """Schemas, the library in C, what is downloaded, the pages."""
    code = f"""
import importlib, pkgutil, sys
from pathlib import Path
sys.path.insert(0, {str(project)!r})
import touchline
found = [m.name for m in pkgutil.walk_packages(touchline.__path__, "touchline.")]
found = [name for name in found if not name.endswith((".__main__", ".libbroadcast"))]
for name in found:
    importlib.import_module(name)
there = {{name: sys.modules["touchline." + name] for name in {MODULES!r}}}
there["schemas.catalog"].built_in()
print(len(found))
print(*sorted(set({INSIDE!r}) & set(sys.modules)))
print(any(Path(there["consumers.delivery.broadcast"].__file__).parent.glob("lib*.so")))
print(there["embedded.backends.pins"].PINS_FILE.is_file())
print(there["gateway.pages.pages"].built_pages())
"""
    done = largest.run(largest.python, "-c", code, cwd=project)
    assert done.returncode == 0, done.stderr
    count, outside, library, pins, pages = done.stdout.splitlines()
    assert int(count) > 200
    assert outside == "", "nothing of Touchline's looks for a folder beside it"
    assert (library, pins) == (str(shutil.which("cc") is not None), "True")
    if load_build().ready():
        assert pages == str(next(largest.home.glob("lib/python*/site-packages/touchline/gateway/dist")))
        there = Path(pages)
        assets = re.findall(r'(?:src|href)="/(assets/[^"]+)"', (there / "index.html").read_text("utf-8"))
        assert assets
        assert all((there / asset).is_file() for asset in assets)


def test_roles_and_clients_of_the_wheel_work_together(
    largest: Environment, smallest: Environment, kafka_servers: str, project: Path
) -> None:
    """A worker and an edge with all extras, a producer and a viewer of the smallest installation."""
    pipeline = Pipeline(kafka_servers, "http://127.0.0.1:9", project)
    environment = {**pipeline.environment, "PYTHONPATH": str(project), "HOME": str(project)}
    with ExitStack() as stack:
        for role in ("stream", "edge"):
            log = stack.enter_context((project / f"{role}.log").open("wb"))
            command = [largest.touchline, role]
            process = subprocess.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
            stack.enter_context(process)
            stack.callback(process.kill)
        for role in ("stream", "edge"):
            ready = pipeline.health(role).replace("healthz", "readyz")
            # Modules of a fresh environment are compiled first.
            eventually(f"{role} is ready", partial(answers, ready), within=300)
        given = {name: value for name, value in environment.items() if name.startswith("TOUCHLINE_")}
        given |= {"PYTHONPATH": str(project), "EDGE": pipeline.edge_url}
        assert smallest.says(PROGRAM, cwd=project, **given) == "schemas 0 Here we go! 1 From a thread"
        done = smallest.run(
            *(smallest.touchline, "watch", "chat:wheel", "--last", "2", "--count", "2", "--json"),
            cwd=project,
            **given,
        )
        texts = [json.loads(line)["data"]["text"] for line in done.stdout.splitlines()]
        assert texts == ["Here we go!", "From a thread"], done.stderr
