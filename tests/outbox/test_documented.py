"""What docs/webhooks.md shows is run: curl and Python, and the command line beside them."""

import shutil
import subprocess
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.docs.examples import example
from tests.outbox.receiver import SECRET
from tests.pipeline import Pipeline


def test_curl_and_the_command_line(posting: Pipeline) -> None:
    if not shutil.which("curl"):
        pytest.skip("curl is not here")
    script = example("webhooks.md", "bash").replace("http://127.0.0.1:18080", posting.gateway_url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], check=True, timeout=240)
    assert "results" in [one["id"] for one in posting.lines("webhook", "list")]
    url = "http://127.0.0.1:9/another"
    said = posting.run("webhook", "set", "results", url, "--stream", "broadcast:wc26-*", "--secret", SECRET)
    assert url in said.stdout
    assert SECRET not in said.stdout
    assert posting.lines("webhook", "retry", "results") == [{"id": "results"}]
    assert "nothing is posted" in posting.run("webhook", "remove", "results").stdout


def test_python(capsys: Any) -> None:
    space: dict[str, Any] = {}
    exec(example("webhooks.md", "python"), space)  # noqa: S102 - it is ours
    body, now = '{"data":{"stream":"chat:final","seq":7,"type":"message"}}', datetime.now(UTC)
    signature = Webhook(SECRET).sign("42", now, body)
    headers = {"webhook-id": "42", "webhook-timestamp": str(int(now.timestamp()))}
    space["received"](body, {**headers, "webhook-signature": signature})
    assert capsys.readouterr().out == "chat:final 7 message\n"
