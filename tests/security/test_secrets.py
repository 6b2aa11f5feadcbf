"""Neither tokens, nor keys, nor what people say, show in logs, metrics or errors, at any log level."""

import time
from pathlib import Path

from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from consumers.client.viewer import Viewer
from kernel.access.tokens import sign
from kernel.process.probe import get
from tests.pipeline import running

KEY = "the-key-of-this-test-with-32-bytes-or-more"
SAID = "a-sentence-that-only-viewers-may-read"
BROKEN = "eyJhbGciOiJIUzI1NiJ9.a-broken-token"


async def test_what_is_secret_stays_out_of_logs_metrics_and_errors(
    kafka_servers: str, tmp_path: Path
) -> None:
    given = {"TOUCHLINE_AUTH_SECRET": KEY, "TOUCHLINE_LOG_LEVEL": "debug"}
    everything = dict.fromkeys(("publish", "subscribe", "history"), ("*",))
    token = sign("ana", everything, expires_s=time.time() + 600, key=KEY)
    told = ""
    with running(kafka_servers, "http://127.0.0.1:9", tmp_path, "stream", "edge", "gateway", **given) as it:
        url = f"{it.gateway_url}/v1/streams/chat/secrets/events"
        async with ClientSession() as http:
            for bearer, posted in (
                (token, {"data": {"text": SAID}}),
                (token, {"data": {"text": SAID, "lat": SAID}, "nonsense": SAID}),
                (token, {"data": SAID}),
                (BROKEN, {"data": {"text": SAID}}),
            ):
                headers = {"Authorization": f"Bearer {bearer}"}
                async with http.post(url, json=posted, headers=headers) as response:
                    told += await response.text()
            async with http.post(f"{url}?token={token}", data=b"{" + SAID.encode()) as response:
                told += await response.text()
        async with Viewer(it.edge_url, token=token) as viewer:
            events = viewer.stream("chat:secrets", last=1)
            assert (await anext(events)).data["text"] == SAID
            await viewer.publish("chat:secrets", {"text": SAID})
            await events.aclose()
        async with connect(f"{it.edge_url}?token={BROKEN}", open_timeout=60) as wire:
            try:
                told += str(await wire.recv())
            except ConnectionClosed as closed:
                told += str(closed)
        for port in (it.settings.stream.port, it.settings.edge.port, it.settings.gateway.port):
            metrics = get(f"http://127.0.0.1:{port}/metrics", timeout=60)
            assert metrics is not None
            told += metrics[1].decode()
    logs = all_logs(tmp_path)
    assert "gateway is listening" in logs
    for secret in (KEY, token, token.rpartition(".")[2], SAID, BROKEN):
        assert secret not in logs
        assert secret not in told


def all_logs(folder: Path) -> str:
    return "".join(file.read_text("utf-8", "replace") for file in folder.glob("*.log"))
