"""The JavaScript client and the pages: their own tests and types, run with the Node that comes as a wheel."""

import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
LANGUAGES = [file.stem for file in (ROOT / "web" / "src" / "languages").glob("*.json")]


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
    # A test has time for a machine that does much else: what is too slow is said by who measures it.
    patient = ("--testTimeout=60000", "--hookTimeout=60000")
    code = node.run(str(ROOT / "node_modules/vitest/vitest.mjs"), "run", *patient, folder=ROOT / folder)
    shown = capfd.readouterr()
    assert code == 0, shown.out + shown.err
    assert re.search(r"Tests .*?\d+ passed", re.sub(r"\x1b\[[0-9;]*m", "", shown.out))


def loaded_by(dist: Path, *pages: str) -> set[Path]:
    """What a browser gets at the first view of these pages, one after the other."""
    files = {dist / page for page in pages}
    for page in list(files):
        files |= {dist / name for name in re.findall(r'(?:src|href)="/(assets/[^"]+)"', page.read_text())}
    styles = "".join(file.read_text() for file in files if file.suffix == ".css")
    return files | {dist / name for name in re.findall(r"url\(/(assets/[^)]+woff2)\)", styles)}


def sent(files: Iterable[Path]) -> int:
    """So many bytes go over the wire."""
    packed = (file.with_name(f"{file.name}.gz") for file in files)
    return sum((one if one.exists() else one.with_suffix("")).stat().st_size for one in packed)


def words_for(files: Iterable[Path], language: str) -> set[Path]:
    """What these pages fetch besides, who speak another language than English."""
    scripts = [file for file in files if file.suffix == ".js"]
    pattern = re.compile(rf"\./({language}-[\w-]+\.js)")
    return {file.with_name(name) for file in scripts for name in pattern.findall(file.read_text())}


#: The first view of viewers, and of where people work, in bytes, in whichever language.
MOST: dict[tuple[str, ...], int] = {("home.html", "index.html"): 200_000} | {
    (f"{name}.html",): 100_000 for name in ("moderate", "nearby", "ops", "search", "studio")
}


@pytest.mark.parametrize("pages", MOST, ids=" ".join)
def test_the_first_view_of_a_page_is_light(node: ModuleType, pages: tuple[str, ...]) -> None:
    assert node.ready()
    files = loaded_by(node.DIST, *pages)
    assert not any("leaflet" in file.name for file in files)
    assert any(file.suffix == ".woff2" for file in files)
    for language in LANGUAGES:
        words = words_for(files, language)
        assert len(words) == len(pages), "each page fetches its own words, and no others"
        assert not words & files, "which it does where they are read"
        assert sent(files | words) < MOST[pages], language


def test_every_page_has_a_limit(node: ModuleType) -> None:
    assert node.ready()
    pages = {file.name for file in node.DIST.glob("*.html")}
    assert pages == {page for some in MOST for page in some}


def test_no_field_has_a_limit_that_is_written_out_where_it_is_used() -> None:
    """What roles bound comes from `generated.ts`; what a page bounds by itself has a name."""
    by_hand = re.compile(r"""max[Ll]ength=(?:\{|["'])\d|pattern=["'][^"']*\{\d""")
    found = {file.name: by_hand.findall(file.read_text()) for file in (ROOT / "web").glob("src/**/*.tsx")}
    assert {name: each for name, each in found.items() if each} == {}


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
