"""Asks the vulnerability services about what is locked: `python -m tests.security.audit`.

Exit code 1 where something is known, 0 where nothing is, and 0 with a sentence where a service cannot be
reached: not knowing is no finding, and must not look like a clean one either.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from web.build import NODE

ROOT: Final = Path(__file__).parents[2]


def said(command: list[str], seconds: float = 120) -> Any:
    """The JSON that a command prints, whatever its exit code; None if it prints none."""
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


def main() -> int:
    pip_audit = [str(Path(sys.executable).with_name("pip-audit")), "--disable-pip", "--no-deps"]
    pip_audit += ["--requirement", "requirements-run.lock", "--format", "json", "--progress-spinner", "off"]
    npm = [str(NODE), str(next(NODE.parents[1].rglob("node_modules/npm/bin/npm-cli.js"))), "audit"]
    asked = {
        "Python": python_findings(said(pip_audit)),
        "JavaScript": javascript_findings(said([*npm, "--omit=dev", "--json"])),
    }
    for language, findings in asked.items():
        if findings is None:
            sentence = f"{language}: no vulnerability service is in reach from here, so nothing was audited."
        else:
            sentence = "\n".join(findings) or f"{language}: nothing is known about what is locked."
        sys.stdout.write(sentence + "\n")
    return 1 if any(asked.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
