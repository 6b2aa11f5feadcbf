"""`make release-check`: builds all that a release has, twice, installs each in an empty place, and uses it.

dist/ then has wheel, sdist, npm tarball, SBOM and SHA256SUMS. The same sources give the same bytes.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from kernel.version import VERSION
from tests.containers.daemon import NoDaemonError, daemon
from tests.containers.standins import build as build_image
from tests.containers.standins import dockerfile_images, provide
from tests.packaging.sbom import sbom
from tests.packaging.wheels import ROOT, Environment, build
from tests.web.test_javascript import load_build

_DIST: Final = ROOT / "dist"
#: What a program does first, with nothing at the other end.
_PROGRAM: Final = """
import { connect } from "@touchline/client";
const client = connect({ url: "ws://127.0.0.1:9/v1/ws" });
client.close();
console.log(client.status.state);
"""


class NotReadyError(Exception):
    """A release of this checkout would be wrong; with the sentence that says why."""


def main() -> int:
    """The exit code."""
    try:
        _check(_say)
    except (NotReadyError, AssertionError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or error
        print(f"release: NOT ready. {said}", file=sys.stderr)  # noqa: T201
        return 1
    print("release: ready")  # noqa: T201
    return 0


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201


def _check(say: Callable[[str], None]) -> None:
    pages = load_build()
    if not pages.ready():
        raise NotReadyError("The pages could not be built: is the npm registry in reach?")
    with tempfile.TemporaryDirectory(prefix="touchline-release-") as name:
        first, second = Path(name) / "first", Path(name) / "second"
        for place in (first, second):
            _build_all(place, pages.pack_client)
        _same(first, second)
        say("two builds give the same bytes")
        _use_python(first, Path(name), say)
        _use_npm(first, Path(name), str(pages.NODE), str(pages.NPM), say)
        shutil.rmtree(_DIST, ignore_errors=True)
        shutil.copytree(first, _DIST)
    _use_image(say)
    sums = {path.name: _digest(path) for path in sorted(_DIST.iterdir())}
    (_DIST / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    for file, digest in sums.items():
        say(f"{digest[:16]}…  dist/{file}")


def _build_all(place: Path, pack_client: Callable[[Path], Path]) -> None:
    """Wheel, sdist, npm tarball and SBOM, of a copy of what git has: nothing that only lies about gets in."""
    source = place.with_name(f"{place.name}-source")
    tracked = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    for name in filter(None, tracked):
        copy = source / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy, follow_symlinks=False)
    # The pages are built; git does not have them.
    shutil.copytree(ROOT / "gateway/dist", source / "gateway/dist")
    for target in ("wheel", "sdist"):
        (place / target).mkdir(parents=True)
        made = build(place / target, target=target, source=source)
        made.rename(place / made.name)
        (place / target).rmdir()
    pack_client(place)
    (place / "touchline.cdx.json").write_text(json.dumps(sbom(VERSION), indent=1, sort_keys=True) + "\n")


def _same(first: Path, second: Path) -> None:
    here, there = ({p.name: _digest(p) for p in place.iterdir()} for place in (first, second))
    if here != there:
        different = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        raise NotReadyError(f"Two builds differ in {', '.join(different)}.")


def _use_python(built: Path, home: Path, say: Callable[[str], None]) -> None:
    for path in sorted([*built.glob("*.whl"), *built.glob("*.tar.gz")]):
        environment = Environment(home / f"env-{path.suffix[1:]}", path)
        told = environment.run(environment.touchline, "--version", cwd=home).stdout
        if VERSION not in told:
            raise NotReadyError(f"{path.name} installs, and says: {told}")
        environment.says("from touchline import Producer, Viewer, Chat", cwd=home)
        say(f"{path.name} installs in an empty environment, and is {VERSION}")


def _use_npm(built: Path, home: Path, node: str, npm: str, say: Callable[[str], None]) -> None:
    (tarball,) = built.glob("*.tgz")
    folder = home / "npm"
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    (folder / "program.js").write_text(_PROGRAM)
    install = (node, npm, "install", "--no-audit", "--no-fund", "--silent", str(tarball))
    subprocess.run(install, cwd=folder, check=True, capture_output=True, text=True)
    done = subprocess.run((node, "program.js"), cwd=folder, check=True, capture_output=True, text=True)
    version = json.loads((folder / "node_modules/@touchline/client/package.json").read_text())["version"]
    if (done.stdout.strip(), version) != ("closed", VERSION):
        raise NotReadyError(f"{tarball.name} is {version}, and its client says {done.stdout.strip()!r}.")
    say(f"{tarball.name} installs in an empty folder, and is {VERSION}")


def _use_image(say: Callable[[str], None]) -> None:
    image = f"touchline:{VERSION}"
    try:
        with daemon() as docker:
            provide(docker, dockerfile_images(), say)
            build_image(docker, image, ROOT)
            told = docker.docker("run", "--rm", "--read-only", image, "--version")
    except NoDaemonError as error:
        say(f"the image was not built. {error}")
        return
    if VERSION not in told:
        raise NotReadyError(f"The image says: {told}")
    say(f"the image {image} runs on a read-only root, and is {VERSION}")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
