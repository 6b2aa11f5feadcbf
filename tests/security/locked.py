"""Are all dependencies nailed down? A part of `make check` that needs no network.

    python -m tests.security.locked

Python: every line of the locks is one exact version with hashes, the locks agree with each other and with
pyproject.toml, what is installed is what is locked, and what is installed needs nothing that is not locked.
JavaScript: every package has an exact version and an integrity hash, and the workspaces ask for what the lock
has. Rust: exact versions. Licences of what is shipped are of a list. Vulnerabilities are what
tests.security.audit asks the services about: those cannot be known without asking.
"""

import importlib.metadata
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name as canonical

OWN: Final = "touchline"
ROOT: Final = Path(__file__).parents[2]
#: Licences of what is shipped: all of them let a product be built on it, none asks for its source.
LICENCES: Final = re.compile(
    r"(MIT|BSD|Apache|PSF|Python Software Foundation|MPL|Mozilla|ISC|0BSD|OFL|Repoze|Zlib|Unlicense)",
    re.IGNORECASE,
)
_LINE: Final = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)(\[[^]]*])?==(?P<version>[^ ;\\]+)( ; (?P<marker>[^\\]+?))? *\\?$"
)
_HASH: Final = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?$")


class Locked(NamedTuple):
    """A line of a lock."""

    version: str
    marker: str
    hashes: int


def read_lock(text: str, wrong: list[str]) -> dict[str, Locked]:
    """The lock's packages by their canonical name; what it should not have goes to `wrong`."""
    found: dict[str, Locked] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if _HASH.match(line) and name:
            found[name] = found[name]._replace(hashes=found[name].hashes + 1)
        elif match := _LINE.match(line):
            name = canonical(match["name"])
            found[name] = Locked(match["version"], match["marker"] or "", 0)
        else:
            name = ""
            wrong.append(f"{line.strip()[:80]!r} is not one exact version with its hashes")
    wrong += [f"{name} has no hash" for name, lock in found.items() if not lock.hashes]
    return found


def asked(requirements: Iterable[str], locked: Mapping[str, Locked]) -> Iterator[str]:
    """What is asked for and is not locked, or is locked at another version."""
    for text in requirements:
        wanted = Requirement(text)
        if canonical(wanted.name) == OWN:  # an extra that takes in another
            continue
        lock = locked.get(canonical(wanted.name))
        if lock is None:
            yield f"{wanted.name} is asked for and not locked: run make lock"
        elif not wanted.specifier.contains(lock.version, prereleases=True):
            yield f"{wanted} is asked for and {lock.version} is locked: run make lock"


def disagreements(run: Mapping[str, Locked], whole: Mapping[str, Locked]) -> Iterator[str]:
    """Where the lock of an image differs from the one that is tested."""
    for name, lock in run.items():
        if name not in whole or whole[name].version != lock.version:
            there = whole[name].version if name in whole else "none"
            yield f"requirements-run.lock has {name} {lock.version}, requirements.lock {there}"


def installed(locked: Mapping[str, Locked]) -> Iterator[str]:
    """Where this environment is not the lock, or needs more than the lock has."""
    here: dict[str, str | AbstractSet[str]] = {**default_environment(), "extra": ""}  # type: ignore[dict-item]
    for name, lock in locked.items():
        try:
            there = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if not lock.marker or Requirement(f"{name} ; {lock.marker}").marker.evaluate(here):  # type: ignore[union-attr]
                yield f"{name} is locked and not installed: run make setup"
            continue
        if there.version != lock.version:
            yield f"{name} {there.version} is installed and {lock.version} is locked: run make setup"
            continue
        needed = [Requirement(text) for text in there.requires or ()]
        due = (str(r) for r in needed if r.marker is None or r.marker.evaluate(here))
        yield from (
            f"{name}: {sentence}" for sentence in asked((text.partition(";")[0] for text in due), locked)
        )


def licences(locked: Mapping[str, Locked]) -> Iterator[str]:
    """Whose licence is not of the list."""
    for name in locked:
        try:
            about = importlib.metadata.metadata(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        classifiers = [c for c in about.get_all("Classifier") or () if c.startswith("License ::")]
        # `License` may be the whole text: the classifiers are looked at first.
        given = [*(about.get_all("License-Expression") or ()), " ".join(classifiers)]
        said = next(filter(None, [*given, *(about.get_all("License") or ())]), "")
        if not LICENCES.search(said) or re.search(r"\bA?GPL", said):
            yield f"{name} has the licence {said.strip()[:60] or 'none'!r}, which is not of the list"


def javascript(lock: Mapping[str, Any], asking: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with package-lock.json; `asking`: each workspace's package.json by its folder."""
    packages = lock["packages"]
    for path, package in packages.items():
        if not path.startswith("node_modules/") or package.get("link"):
            continue
        name = path.rpartition("node_modules/")[2]
        if not re.fullmatch(r"\d+\.\d+\.\d+[\w.+-]*", package.get("version", "")):
            yield f"{name} has no exact version"
        if not str(package.get("integrity", "")).startswith("sha512-"):
            yield f"{name} has no integrity hash"
        if "resolved" in package:
            yield f"{name} names the place where it came from"
        if not package.get("dev") and not LICENCES.search(str(package.get("license"))):
            yield f"{name} has the licence {package.get('license')!r}, which is not of the list"
    for folder, own in asking.items():
        for part in ("dependencies", "devDependencies"):
            if own.get(part, {}) != packages.get(folder, {}).get(part, {}):
                where = folder or "the workspace"
                yield f"{where}: {part} of package.json are not those of the lock: run npm install"


def rust(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Dependencies that are not exact."""
    for name, version in manifest.get("dependencies", {}).items():
        if not str(version).startswith("="):
            yield f"{name} of bench/load is {version!r}, and not one exact version"


def problems(root: Path = ROOT) -> list[str]:
    """Everything that is not nailed down."""
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    found: list[str] = []
    whole = read_lock((root / "requirements.lock").read_text("utf-8"), found)
    run = read_lock((root / "requirements-run.lock").read_text("utf-8"), found)
    own, extras = project["project"]["dependencies"], project["project"]["optional-dependencies"]
    found += asked([*own, *chain.from_iterable(extras.values()), *project["dependency-groups"]["dev"]], whole)
    found += asked([*own, *extras["server"]], run)
    found += disagreements(run, whole)
    found += installed(whole)
    found += licences(run)
    lock = json.loads((root / "package-lock.json").read_text("utf-8"))
    folders = [path for path in lock["packages"] if not path.startswith("node_modules/")]
    found += javascript(
        lock, {f: json.loads((root / f / "package.json").read_text("utf-8")) for f in folders}
    )
    found += rust(tomllib.loads((root / "bench/load/Cargo.toml").read_text("utf-8")))
    return found


if __name__ == "__main__":
    found = problems()
    sys.stdout.write("".join(f"{sentence}.\n" for sentence in found) or "All dependencies are locked.\n")
    sys.exit(1 if found else 0)
