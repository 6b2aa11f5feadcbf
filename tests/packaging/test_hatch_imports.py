"""How a wheel's modules come to import from inside of `touchline`, and what stops the build."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


imports = load("hatch_imports")
LAYOUT: Any = imports.layout(
    "touchline",
    ["kernel", "streams"],
    [
        "kernel/__init__.py",
        "kernel/a.py",
        "kernel/clock.py",
        "streams/transport/driver.py",
        "touchline/cli.py",
    ],
    ["kernel", "streams", "touchline", "tests", "bench"],
)


def rewritten(source: str) -> str:
    return str(imports.rewritten(source, "m.py", LAYOUT))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("from kernel.clock import Clock", "from touchline.kernel.clock import Clock"),
        ("from kernel import clock as c", "from touchline.kernel import clock as c"),
        ("import kernel.clock as c", "import touchline.kernel.clock as c"),
        ("import kernel", "from touchline import kernel"),
        # the name `kernel` is bound as before
        ("import kernel.clock", "import touchline.kernel.clock; from touchline import kernel"),
        ("import os, kernel, re", "import os; from touchline import kernel; import re"),
        ("if x: import kernel.clock as c; y()", "if x: import touchline.kernel.clock as c; y()"),
        ("from kernel.a import (  # x\n  B,\n)", "from touchline.kernel.a import (  # x\n  B,\n)"),
        ("é = 'é'; from kernel import clock", "é = 'é'; from touchline.kernel import clock"),
        ("def f():\n\tfrom streams import transport", "def f():\n\tfrom touchline.streams import transport"),
        # what only looks like it stays
        ("from kernels import x", "from kernels import x"),
        ("import streamsets.kernel", "import streamsets.kernel"),
        ("from touchline.cli import main", "from touchline.cli import main"),
        ("kernel = 1  # from kernel import clock", "kernel = 1  # from kernel import clock"),
        ('"""import kernel"""\nx = "import kernel"', '"""import kernel"""\nx = "import kernel"'),
        ('def f():\n    """kernel.clock"""', 'def f():\n    """kernel.clock"""'),
        ('x = {"name": "streams", "topic": "streams.x"}', 'x = {"name": "streams", "topic": "streams.x"}'),
        ('import_module(f"touchline.{x}")', 'import_module(f"touchline.{x}")'),
        ('import_module("picows")', 'import_module("picows")'),
        ('run(["-m", f"{__package__}.driver"])', 'run(["-m", f"{__package__}.driver"])'),
        ('import_module(f"{__package__}.{x}")', 'import_module(f"{__package__}.{x}")'),
        ("import_module(__name__)", "import_module(__name__)"),
    ],
)  # fmt: skip
def test_an_import_of_a_folder_leads_inside(here: str, there: str) -> None:
    assert rewritten(here) == there
    assert len(there.splitlines()) == len(here.splitlines()), "lines keep their numbers"


@pytest.mark.parametrize(
    "source",
    [
        "from kernel.nowhere import x",
        "import kernel.nowhere",
        "from touchline.nowhere import x",
        "from tests.pipeline import running",
        "import bench.peers.installing",
        "from . import clock",
        "from .clock import Clock",
        'x = "kernel.clock"',
        'x = "streams.transport.driver:Transport"',
        'run([python, "-m", "streams.transport.driver"])',
        'run((python, "-m", "streams"))',
        'import_module("kernel")',
        'import_module(f"kernel.{x}")',
        'import_module(f"streams{x}")',
        "importlib.import_module(x)",
        "__import__(x)",
        "from kernel \\\n    .clock import Clock",
        "import kernel, \\\n    os",
    ],
)
def test_what_cannot_be_mapped_stops_the_build(source: str) -> None:
    with pytest.raises(imports.Unmapped) as stopped:
        rewritten(source)
    assert str(stopped.value).startswith("m.py:"), "it says where"


def test_two_files_that_would_be_one_are_found() -> None:
    layout = imports.layout("touchline", ["kernel"], [], [])
    assert imports.clashes(["kernel/a.py", "touchline/b.py"], layout) == {}
    assert imports.clashes(["kernel/a.py", "touchline/kernel/a.py"], layout) == {
        "touchline/kernel/a.py": ["kernel/a.py", "touchline/kernel/a.py"]
    }
