"""What a release is made of, as CycloneDX: every package of the lock, and what the pages bundle."""

import json
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
_PINNED: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)", re.MULTILINE
)
_NAMESPACE: Final = uuid.UUID("7f0d8f0a-6a1b-4c53-9d6e-2f6f0a3f1d57")


def components(requirements: str, npm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The parts: of a lock of pip, with its hashes, and of a package-lock.json, without what only builds."""
    found = list(_PINNED.finditer(requirements))
    for match, following in zip(found, [*found[1:], None], strict=True):
        name, version = match["name"].lower().replace("_", "-"), match["version"]
        block = requirements[match.end() : following.start() if following else None]
        yield {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "hashes": [
                {"alg": "SHA-256", "content": digest}
                for digest in re.findall(r"sha256:([0-9a-f]{64})", block)
            ],
        }
    for path, package in sorted(npm["packages"].items()):
        if "node_modules/" not in path or package.get("dev") or package.get("link") or package.get("peer"):
            continue
        name, version = path.rpartition("node_modules/")[2], package["version"]
        purl = f"pkg:npm/{name.replace('@', '%40')}@{version}"
        yield {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


def sbom(version: str) -> dict[str, Any]:
    """The whole document. The same content always gives the same bytes: it has no time in it."""
    requirements = (ROOT / "requirements-run.lock").read_text("utf-8")
    npm = json.loads((ROOT / "package-lock.json").read_text("utf-8"))
    parts = list(components(requirements, npm))
    me = {"type": "application", "name": "touchline", "version": version, "bom-ref": "touchline"}
    identity = uuid.uuid5(_NAMESPACE, json.dumps([me, parts], sort_keys=True))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{identity}",
        "version": 1,
        "metadata": {"component": {**me, "purl": f"pkg:pypi/touchline@{version}"}},
        "components": parts,
        "dependencies": [{"ref": "touchline", "dependsOn": sorted(part["bom-ref"] for part in parts)}],
    }
