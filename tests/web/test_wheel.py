"""The wheel carries the pages: who installs it has what a checkout has."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.web.test_javascript import ROOT, load_build


@pytest.fixture(scope="module")
def build() -> ModuleType:
    build = load_build()
    if not build.ready():
        pytest.skip("the pages could not be built: is the npm registry in reach?")
    return build


def test_a_wheel_serves_the_pages_from_itself(build: ModuleType, tmp_path: Path) -> None:
    make = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as files:
        files.extractall(installed)
        names = set(files.namelist())
    pages = {f"gateway/dist/{page}" for page in ("index.html", "ops.html")}
    named = {
        f"gateway/dist/{asset}"
        for page in pages
        for asset in re.findall(r'(?:src|href)="/(assets/[^"]+)"', (installed / page).read_text())
    }
    assert named
    assert pages | named <= names
    assert not [name for name in names if name.startswith(("tests/", "web/", "node_modules/"))]
    found = subprocess.run(
        [sys.executable, "-c", "from gateway.pages.pages import built_pages; print(built_pages())"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == str(installed / "gateway" / "dist")
