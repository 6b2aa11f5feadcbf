"""Imports go one way: kernel, schemas, control, history, the four parts; only face and gateway see all."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = {"producers", "streams", "consumers", "search_indexer", "outbox"}
#: Folder -> which of the project's folders it may import.
MAY_IMPORT: dict[str, set[str]] = {
    "kernel": set(),
    "schemas": {"kernel"},
    "control": {"kernel", "schemas"},
    "history": {"kernel", "schemas", "control"},
    **{part: {"kernel", "schemas", "control", "history"} for part in PARTS},
    "embedded": {"kernel"},
    "gateway": {"kernel", "schemas", "control", "history", *PARTS},
    "chaos": {"kernel", "schemas", "control", "history", "embedded", "touchline", *PARTS},
    "touchline": {"kernel", "schemas", "control", "history", "embedded", "gateway", "chaos", *PARTS},
}
MODULES = sorted(file for folder in MAY_IMPORT for file in (ROOT / folder).rglob("*.py"))


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def imported(file: Path) -> set[str]:
    """The top-level packages that a module imports, also inside functions and under TYPE_CHECKING."""
    found: set[str] = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative imports hide where a name comes from"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_only_what_its_folder_may(file: Path) -> None:
    folder = file.relative_to(ROOT).parts[0]
    forbidden = (imported(file) & MAY_IMPORT.keys()) - MAY_IMPORT[folder] - {folder}
    assert not forbidden, f"{file.relative_to(ROOT)} imports {forbidden}"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_says_in_its_first_line_why_it_exists(file: Path) -> None:
    text = ast.get_docstring(parsed(file))
    assert text, f"{file.relative_to(ROOT)} has no docstring"
    assert len(text.splitlines()[0]) > 10


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_stays_short_enough_to_be_read(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize(
    "folder", sorted({file.parent for file in MODULES}), ids=lambda f: str(f.relative_to(ROOT))
)
def test_a_folder_has_so_few_modules_that_their_names_are_read(folder: Path) -> None:
    """Of a row of twenty names none helps: a concept among them wants a folder of its own (decision 0141)."""
    assert len([file for file in folder.glob("*.py") if file.stem != "__init__"]) < 15


#: What tells the time. `thread_time` and its like measure work, and are no clocks.
TELLS_TIME = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"}
#: The composition root, and what watches the system's processes and threads, read the machine's clock.
READS_THE_CLOCK = {"kernel/clock.py", "kernel/process/stalls.py"}
ROOTS = {"touchline", "embedded", "chaos"}


def clocks(tree: ast.AST) -> set[str]:
    """Where a module asks the machine, or the event loop, for the time."""
    found: set[str] = set()
    called = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {"time": "time", "datetime": "datetime"} | {
        each.asname or each.name: each.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for each in node.names
    }

    def ends_in(node: ast.expr, wanted: str) -> bool:
        """Whether an expression is what is called so where it comes from, under whatever name here."""
        match node:
            case ast.Name(id=name):
                return names.get(name) == wanted
            case ast.Attribute(attr=name):
                return name == wanted
            case _:
                return False

    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module="time", names=imported):
                found |= {
                    f"from time import {each.name}" for each in imported if each.name in {*TELLS_TIME, "*"}
                }
            case ast.Attribute(value=of, attr=name) if name in TELLS_TIME and ends_in(of, "time"):
                found.add(f"time.{name}")
            case ast.Attribute(attr="utcnow" | "today" as name):
                found.add(name)
            case ast.Attribute(value=of, attr="now") if ends_in(of, "datetime"):
                found.add("datetime.now")
            case ast.Attribute(value=of, attr="time") if not ends_in(of, "datetime"):
                # As a value, or with nothing to be made of: `datetime.time(3)` and `moment.time()` tell none.
                call = called.get(id(node))
                if call is None or not (call.args or call.keywords):
                    found.add("loop.time()")
            case _:
                pass
    return found


@pytest.mark.parametrize(
    "text",
    [
        "from time import monotonic",
        "from time import monotonic as now",
        "from time import *",
        "import time\nnow = time.monotonic",
        "import time\ntime.time_ns()",
        "import time as t\nt.monotonic()",
        "import time as t\nnow = t.time",
        "loop.time()",
        "now = loop.time",
        "asyncio.get_running_loop().time()",
        "now = asyncio.get_running_loop().time",
        "datetime.now(UTC)",
        "datetime.datetime.now()",
        "import datetime as d\nd.datetime.now()",
        "from datetime import datetime as moment\nmoment.now(UTC)",
        "now = datetime.now",
        "datetime.utcnow()",
        "date.today()",
    ],
)
def test_no_way_to_the_machines_clock_escapes_the_rule(text: str) -> None:
    assert clocks(ast.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "clock.monotonic()",
        "from time import thread_time",
        "datetime.time(3)",
        "clock.now()",
        "now: datetime.time",
    ],
)
def test_what_is_no_clock_is_let_through(text: str) -> None:
    assert not clocks(ast.parse(text))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_clocks_are_passed_in(file: Path) -> None:
    relative = str(file.relative_to(ROOT))
    if relative in READS_THE_CLOCK or file.relative_to(ROOT).parts[0] in ROOTS:
        return
    found = clocks(parsed(file))
    assert not found, f"{relative} reads the machine's clock ({found}): take a kernel.clock.Clock instead"


OURS = MAY_IMPORT.keys() | {"bench"}
#: Of namedtuples these names are no secrets.
NAMEDTUPLES = {"_replace", "_asdict", "_fields", "_make"}


def privates(tree: ast.AST) -> set[str]:
    """Private names that a test takes from somebody else. Constants may be set to hurry a test."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="self" | "cls" | "KafkaError")):
                pass  # librdkafka's own codes have such names
            case ast.Attribute(attr=name) if name.startswith("_") and not name.startswith("__"):
                found.add(name)
            case ast.ImportFrom(module=str(module), names=names) if module.split(".")[0] in OURS:
                found |= {each.name for each in names if each.name.startswith("_")}
            case ast.Call(func=ast.Attribute(attr="setattr") | ast.Name(id="setattr" | "getattr")):
                texts = [
                    a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)
                ]
                lasts = [text.rpartition(".")[2] for text in texts]
                found |= {last for last in lasts if last.startswith("_") and not last.isupper()}
            case _:
                pass
    return {name for name in found - NAMEDTUPLES if not name.startswith("__")}


TESTS = sorted((ROOT / "tests").rglob("*.py"))


@pytest.mark.parametrize("file", TESTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_tests_reach_no_privates(file: Path) -> None:
    found = privates(parsed(file))
    assert not found, f"{file.relative_to(ROOT)} uses {found}: test what can be seen, or make it public"


@pytest.mark.parametrize(
    "text",
    [
        "service._tasks",
        "from consumers.edge import _new_id",
        'monkeypatch.setattr(history, "_admin", None)',
        'monkeypatch.setattr("consumers.edge._new_id", None)',
        "getattr(edge, '_beat')()",
    ],
)
def test_no_way_to_a_private_name_escapes_the_rule(text: str) -> None:
    assert privates(ast.parse(text))


#: Also inside of names: `test_he_is_told`.
PERSON = re.compile(r"(?<![a-z])(he|his|him|himself)(?![a-z])", re.IGNORECASE)
#: Said here once where the field has its own word: flush, handle, channel manager, restore, batch, state.
OWN_WORDS = re.compile(r"(?<![a-zA-Z])(jot|heed|steward|takeover|lot|board)(?![a-zA-Z])")
#: Words of chats that are made up; and records of what was decided, which are not written anew.
SPEAKS_FREELY = {"bench/rig/corpus.py", "producers/simulation/match.py", "tests/architecture/test_imports.py"}
TEXTS = [
    file
    for pattern in ("docs/*.md", "*.md", "web/src/**/*.ts*", "clients/js/src/*.ts", "consumers/**/*.c")
    for file in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("file", [*MODULES, *TESTS, *TEXTS], ids=lambda file: str(file.relative_to(ROOT)))
def test_a_viewer_is_the_viewer(file: Path) -> None:
    if str(file.relative_to(ROOT)) not in SPEAKS_FREELY:
        found = [line for line in file.read_text("utf-8").splitlines() if PERSON.search(line)]
        assert not found, f"{file.relative_to(ROOT)}: say the viewer, or they"


@pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_things_have_the_fields_names(file: Path) -> None:
    names = {node.id for node in ast.walk(parsed(file)) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(parsed(file)) if isinstance(node, ast.Attribute)}
    names |= {node.arg for node in ast.walk(parsed(file)) if isinstance(node, ast.arg)}
    names |= {
        node.name
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert not [name for name in names if OWN_WORDS.search(name)]


def test_clients_that_ask_about_the_cluster_are_made_in_one_place() -> None:
    """Another one would take a core while a broker is away (kernel.log.kafka.admin_client)."""
    own = {ROOT / "kernel/log/kafka.py", ROOT / "embedded/backends/kafka.py"}
    assert [f for f in MODULES if f not in own and "AdminClient(" in f.read_text("utf-8")] == []
