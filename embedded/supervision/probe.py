"""What a role says of itself on the port that it serves its operators."""

from collections.abc import Iterable
from typing import Final

from kernel.process.probe import answers

_LAG: Final = "touchline_consumer_lag"
_TASKS: Final = "touchline_tasks"


def is_ready(operator_url: str) -> bool:
    """Whether the role says that it is ready."""
    return answers(f"{operator_url}/readyz", timeout=2.0)


def lag(metrics: Iterable[str]) -> int | None:
    """How many records a role still has to read, over all its topics; None if it does not say."""
    return _sum(metrics, _LAG)


def tasks(metrics: Iterable[str]) -> int | None:
    """How many tasks a role's loop has; None if it does not say."""
    return _sum(metrics, _TASKS)


def _sum(metrics: Iterable[str], name: str) -> int | None:
    values = [
        float(line.rpartition(" ")[2]) for line in metrics if line.startswith((f"{name}{{", f"{name} "))
    ]
    return round(sum(values)) if values else None
