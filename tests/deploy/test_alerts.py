"""deploy/alerts.yml: what each alert is told by (played by promtool), and that its runbook is there."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kernel.process import metrics

ROOT = Path(__file__).parents[2]
ALERTS = ROOT / "deploy/alerts.yml"
GROUPS: list[dict[str, Any]] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
RULES = [rule for group in GROUPS for rule in group["rules"]]
TOLD = {rule["alert"]: rule for rule in RULES if "alert" in rule}
PLAYED: dict[str, Any] = yaml.safe_load((ROOT / "tests/deploy/alerts.test.yml").read_text("utf-8"))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is in Debian's package prometheus")
def test_alerts_are_told_when_they_should_be(tmp_path: Path) -> None:
    for path in (ALERTS, ROOT / "tests/deploy/alerts.test.yml"):
        shutil.copy(path, tmp_path)
    played = subprocess.run(
        ("promtool", "test", "rules", "alerts.test.yml"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr


def test_each_alert_is_played() -> None:
    played = {case["alertname"] for test in PLAYED["tests"] for case in test["alert_rule_test"]}
    assert played == set(TOLD)


@pytest.mark.parametrize("name", TOLD)
def test_the_runbook_of_each_alert_is_there(name: str) -> None:
    """With what it says, what is looked at, and what is done."""
    page = (ROOT / "docs/operating.md").read_text("utf-8")
    assert TOLD[name]["annotations"]["runbook_url"] == f"docs/operating.md#{name.lower()}"
    section = re.search(rf"^### {name}\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, f"docs/operating.md has no section {name}"
    assert all(word in section[1] for word in ("**Means**", "**Look**", "**Do**"))
    assert TOLD[name]["labels"]["severity"] in {"page", "ticket"}


def test_rules_ask_only_for_metrics_that_exist() -> None:
    known = {
        sample
        for family in metrics.registry().collect()
        for sample in (
            family.name,
            *(f"{family.name}_{suffix}" for suffix in ("total", "bucket", "count", "sum")),
        )
    }
    for rule in RULES:
        named = set(re.findall(r"\b(?:touchline|process)_\w+", rule["expr"]))
        assert named <= known, named - known


def test_rules_name_the_jobs_that_prometheus_asks() -> None:
    scraped = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text("utf-8"))
    jobs = {config["job_name"] for config in scraped["scrape_configs"]}
    for rule in RULES:
        for value in re.findall(r'job=~?"([^"]+)"', rule["expr"]):
            assert set(value.split("|")) <= jobs
    assert scraped["rule_files"] == ["/etc/prometheus/alerts.yml"]
