"""The SBOM of a release names what the locks name, and is the same each time."""

import json

from tests.packaging.sbom import ROOT, components, sbom

LOCK = """\
aiohttp[speedups]==3.14.0 ; sys_platform != 'win32' \\
    --hash=sha256:{a} \\
    --hash=sha256:{b}
attrs==26.1.0 \\
    --hash=sha256:{c}
""".format(a="a" * 64, b="b" * 64, c="c" * 64)


def test_parts_are_those_of_the_locks() -> None:
    npm = {
        "packages": {
            "": {"name": "workspace"},
            "clients/js": {"version": "0.2.0"},
            "node_modules/@touchline/client": {"link": True},
            "node_modules/@scope/thing": {"version": "1.0.0"},
            "node_modules/vite": {"version": "8.0.0", "dev": True},
        }
    }
    found = {part["purl"]: part for part in components(LOCK, npm)}
    assert list(found) == ["pkg:pypi/aiohttp@3.14.0", "pkg:pypi/attrs@26.1.0", "pkg:npm/%40scope/thing@1.0.0"]
    digests = [entry["content"] for entry in found["pkg:pypi/aiohttp@3.14.0"]["hashes"]]
    assert digests == ["a" * 64, "b" * 64]


def test_it_is_whole_and_the_same_each_time() -> None:
    made = sbom("1.2.3")
    assert made == sbom("1.2.3") != sbom("1.2.4")
    named = {part["name"] for part in made["components"]}
    assert {"confluent-kafka", "websockets", "elasticsearch", "numpy"} <= named
    lines = (ROOT / "requirements-run.lock").read_text("utf-8").splitlines()
    pinned = sum(not line.startswith(("#", " ")) for line in lines)
    assert sum(part["purl"].startswith("pkg:pypi/") for part in made["components"]) == pinned
    refs = [part["bom-ref"] for part in made["components"]]
    assert len(refs) == len(set(refs))
    json.dumps(made)
