"""Touchline's face for programs: `from touchline import Producer, Viewer`."""

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from consumers.client.viewer import Viewer as Viewer
    from producers import Producer as Producer
    from producers import SyncProducer as SyncProducer

#: Loaded when they are asked for: `touchline --help` needs neither Kafka's client nor a socket.
_HOMES: Final = {"Producer": "producers", "SyncProducer": "producers", "Viewer": "consumers.client.viewer"}

__all__ = ["Producer", "SyncProducer", "Viewer"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'touchline' has no attribute {name!r}")
