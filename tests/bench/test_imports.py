"""Every module of bench/ can be imported: names that it uses are there, though no type checker reads it."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What is installed for comparisons only (the group `bench`).
PEERS = {"aiokafka", "faststream", "picows", "quixstreams", "websockets_proxy"}
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "bench").rglob("*.py"))
    if path.stem not in {"__main__", "__init__"}
]


@pytest.mark.parametrize("name", MODULES)
def test_it_can_be_imported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name])  # some are programs that read it at once
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in PEERS:
            raise
