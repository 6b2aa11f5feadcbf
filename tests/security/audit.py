"""Asks the vulnerability services about what is locked: `python -m tests.security.audit [--seconds 30]`.

Exit code 1 where something is known, 0 where nothing is, and 0 with a sentence where a service cannot be
reached: not knowing is no finding, and must not look like a clean one either. Both are asked at once, and
have the given seconds: `make check` does not wait for a network that swallows what it is asked.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from web.build import NODE

ROOT: Final = Path(__file__).parents[2]


def said(command: list[str], seconds: float) -> Any:
    """The JSON that a command prints, whatever its exit code; None if it prints none in time."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
        return json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError, OSError):
        return None


def python_findings(report: Any) -> list[str] | None:
    """What pip-audit knows; None where it could not ask."""
    if not isinstance(report, dict) or "dependencies" not in report:
        return None
    skipped = [package["name"] for package in report["dependencies"] if "skip_reason" in package]
    if len(skipped) == len(report["dependencies"]):  # it is content then, and has asked about nothing
        return None
    return [f"{name} could not be audited" for name in skipped] + [
        f"{package['name']} {package.get('version', '')}: {known['id']}"
        f" (mended in {', '.join(known.get('fix_versions', [])) or 'no version yet'})"
        for package in report["dependencies"]
        for known in package.get("vulns", [])
    ]


def javascript_findings(report: Any) -> list[str] | None:
    """What npm knows; None where it could not ask."""
    if not isinstance(report, dict) or "vulnerabilities" not in report:
        return None
    return [f"{name}: {known['severity']}" for name, known in report["vulnerabilities"].items()]


def verdict(findings: Mapping[str, list[str] | None]) -> tuple[int, list[str]]:
    """The exit code, and what is said of each language: what is known, that nothing is, or that nobody could
    be asked.
    """
    unasked = "no vulnerability service is in reach from here, so nothing was checked."
    lines: list[str] = []
    for language, found in findings.items():
        if found is None:
            lines.append(f"{language}: {unasked}")
        else:
            lines += found or [f"{language}: nothing is known about what is locked."]
    return 1 if any(findings.values()) else 0, lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask both, and say what they know."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    seconds = parser.parse_args(arguments).seconds
    pip_audit = [str(Path(sys.executable).with_name("pip-audit")), "--disable-pip", "--no-deps"]
    pip_audit += ["--requirement", "requirements-run.lock", "--format", "json", "--progress-spinner", "off"]
    npm = [str(NODE), str(next(NODE.parents[1].rglob("node_modules/npm/bin/npm-cli.js"))), "audit"]
    with ThreadPoolExecutor(2) as pool:
        python = pool.submit(said, pip_audit, seconds)
        javascript = pool.submit(said, [*npm, "--omit=dev", "--json"], seconds)
    findings = {
        "Python": python_findings(python.result()),
        "JavaScript": javascript_findings(javascript.result()),
    }
    code, lines = verdict(findings)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
