"""An event on a line of a terminal."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import click


def event_line(event: Mapping[str, Any], fit: Callable[[str], str], *, day: bool = True) -> str:
    """When, where, who, and what: its text, or all of its data. `fit` makes it fit for a terminal."""
    data = event.get("data") or {}
    text = data.get("text") if isinstance(data.get("text"), str) else None
    what = text if text is not None else json.dumps(data, ensure_ascii=False)
    who = f" {click.style(fit(event['sender']), bold=True)}" if event.get("sender") else ""
    kind = "" if event["type"] == "message" else f" {fit(event['type'])}"
    at = str(event["server_ts"])
    when = at if day else at[11:23]
    return f"{when} {click.style(fit(event['stream']), fg='cyan')}{who}{kind}: {fit(what)}"
