"""The JavaScript client and the pages: their own tests and types, run with the Node that comes as a wheel."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load_build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("web_build", ROOT / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def node() -> ModuleType:
    build = load_build()
    if not build.install():
        pytest.skip("the npm packages could not be installed: is the registry in reach?")
    return build


@pytest.mark.parametrize("folder", ["clients/js", "web"])
def test_the_types_hold(node: ModuleType, folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = node.run(str(ROOT / "node_modules/typescript/bin/tsc"), "--noEmit", folder=ROOT / folder)
    assert code == 0, capfd.readouterr().out


@pytest.mark.parametrize("folder", ["clients/js", "web"])
def test_the_unit_tests_pass(node: ModuleType, folder: str, capfd: pytest.CaptureFixture[str]) -> None:
    code = node.run(str(ROOT / "node_modules/vitest/vitest.mjs"), "run", folder=ROOT / folder)
    shown = capfd.readouterr()
    assert code == 0, shown.out + shown.err
    assert re.search(r"Tests .*?\d+ passed", re.sub(r"\x1b\[[0-9;]*m", "", shown.out))


def test_the_first_load_without_the_map_is_under_200_kb(node: ModuleType) -> None:
    assert node.ready()
    dist = node.DIST
    page = (dist / "index.html").read_text()
    files = {dist / name for name in re.findall(r'(?:src|href)="/(assets/[^"]+)"', page)}
    styles = "".join(file.read_text() for file in files if file.suffix == ".css")
    files |= {dist / name for name in re.findall(r"url\(/(assets/[^)]+woff2)\)", styles)}
    assert not any("leaflet" in file.name for file in files)

    def sent(file: Path) -> int:
        compressed = file.with_name(f"{file.name}.gz")
        return (compressed if compressed.exists() else file).stat().st_size

    assert sum(sent(file) for file in files) + sent(dist / "index.html") < 200_000


def test_the_lock_names_no_registry() -> None:
    lock = (ROOT / "package-lock.json").read_text()
    resolved = re.findall(r'"resolved": "([^"]+)"', lock)
    assert set(resolved) <= {"clients/js", "web"}, "packages are found where the user's npm is set up to look"


def test_the_build_says_what_to_do_where_it_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = load_build()
    monkeypatch.setattr(build, "install", lambda: False)
    assert build.main() == 1
    assert "make web" in capsys.readouterr().err
