"""Centrifugo beside the edge, where a setting names its binary: its settings, and how its viewers subscribe.

At its best for this job: its own Kafka consumer in publication mode, so that it neither calls out nor parses;
anonymous viewers, no compression, no pings in the middle of a run.
"""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CHANNEL: Final = "bench"
#: Of each Kafka record: to whom it goes.
HEADERS: Final[list[tuple[str, str | bytes | None]]] = [("centrifugo-channels", _CHANNEL.encode())]
PATH: Final = "/connection/websocket"
ASKS: Final = (
    "--first-frame",
    f'{{"id":1,"connect":{{}}}}\n{{"id":2,"subscribe":{{"channel":"{_CHANNEL}"}}}}',
    *("--ready-match", '"subscribe"'),
)


@contextlib.contextmanager
def configured(port: int, brokers: str, topic: str) -> Iterator[Path]:
    """Its file of settings, for as long as it runs."""
    kafka = {
        "brokers": brokers.split(","),
        "topics": [topic],
        "consumer_group": f"{topic}-centrifugo",
        "max_poll_records": 100,
        "publication_data_mode": {"enabled": True, "channels_header": HEADERS[0][0]},
    }
    settings = {
        "http_server": {"address": "127.0.0.1", "port": port},
        "log": {"level": "error"},
        "usage_stats": {"disabled": True},
        "client": {
            "allowed_origins": ["*"],
            "allow_anonymous_connect_without_token": True,
            "ping_interval": "600s",
            "pong_timeout": "300s",
        },
        "channel": {
            "without_namespace": {"allow_subscribe_for_client": True, "allow_subscribe_for_anonymous": True}
        },
        "consumers": [{"enabled": True, "name": "bench", "type": "kafka", "kafka": kafka}],
    }
    with tempfile.TemporaryDirectory(prefix="touchline-centrifugo-") as folder:
        path = Path(folder) / "centrifugo.json"
        path.write_text(json.dumps(settings))
        yield path
