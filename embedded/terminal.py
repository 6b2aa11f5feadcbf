"""What `touchline up` shows: bars while it downloads, a line for each process, and one screen at the end."""

import shutil
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn
from rich.status import Status
from rich.table import Table
from rich.text import Text

from embedded.supervision.progress import Changed, Download, Event, Failed, Up
from embedded.supervision.state import Addresses

#: What each process is, for those who see its name for the first time.
_WHAT: Final = {
    "kafka": "the log",
    "elasticsearch": "the index",
    "topics": "Kafka's topics",
    "stream": "Faust worker",
    "index": "search indexer",
    "edge": "WebSocket edge",
    "gateway": "HTTP gateway",
}
_DONE: Final = {"ready": "ready", "done": "made"}


class TerminalReport:
    """Shows what a supervisor reports. Where the output is no terminal it writes plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._console,
        )
        self._bars: dict[str, TaskID] = {}
        self._busy: dict[str, float] = {}
        self._spinner: Status | None = None
        self._is_up = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_bars()
        self._spin(None)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Download):
            self._download(event)
        elif isinstance(event, Changed):
            self._changed(event)
        elif isinstance(event, Up | Failed):
            self._is_up = isinstance(event, Up)
            self._spin(None)

    def _download(self, event: Download) -> None:
        if event.label not in self._bars:
            if not self._console.is_terminal:
                self._console.print(f"  downloading {event.label} ({event.total / 1e6:.0f} MB)")
            self._bars[event.label] = self._progress.add_task(event.label, total=event.total)
            if self._console.is_terminal:
                self._progress.start()
        self._progress.update(self._bars[event.label], completed=event.done)

    def _changed(self, event: Changed) -> None:
        self._close_bars()
        if self._is_up or event.state in {"restarting", "stopped"}:
            detail = f": {event.detail}" if event.detail else ""
            self._console.print(f"  {event.name} {event.state}{detail}")
        elif event.state == "starting":
            self._busy[event.name] = time.monotonic()
        elif event.state in _DONE:
            took = time.monotonic() - self._busy.pop(event.name, time.monotonic())
            what = _WHAT.get(event.name.partition("-")[0], "")
            line = Text(f"  {event.name:14} {what:15} ").append(_DONE[event.state], "green")
            self._console.print(line.append(f"  {took:.1f} s", "dim"))
        self._spin(None if self._is_up else ", ".join(self._busy))

    def _close_bars(self) -> None:
        if self._bars:  # one that has never been started would print an empty line
            self._progress.stop()
            self._bars.clear()

    def _spin(self, what: str | None) -> None:
        if not what:
            if self._spinner is not None:
                self._spinner.stop()
                self._spinner = None
        elif self._console.is_terminal:
            if self._spinner is None:
                self._spinner = self._console.status("")
                self._spinner.start()
            self._spinner.update(f"starting {what}")


def show_final_screen(addresses: Addresses, *, title: str, ending: str) -> None:
    """Say where everything is, and three commands to try."""
    table = Table.grid(padding=(0, 2))
    for name, address in (
        ("page", f"{addresses.gateway}/"),
        ("friends", f"{addresses.gateway}/nearby"),
        ("analysts", f"{addresses.gateway}/search"),
        ("operators", f"{addresses.gateway}/ops"),
        ("API", f"{addresses.gateway}/docs"),
        *(("edge", edge) for edge in addresses.edges),
        ("Kafka", addresses.kafka),
        ("Elasticsearch", addresses.elasticsearch),
    ):
        table.add_row(Text(name, "dim"), Text(address))
    console = Console(highlight=False)
    console.print(Panel(table, title=title, title_align="left", border_style="green", expand=False))
    console.print("Try, the first in a shell of its own:")
    program = _program()
    for line in ("watch broadcast:demo", 'publish broadcast:demo --text "Kick-off"', "search kick-off"):
        # Never wrapped, so that it can be copied.
        console.print(Text(f"  {program} {line}", "bold"), soft_wrap=True)
    console.print(Text(ending, "dim"), soft_wrap=True)


def _program() -> str:
    """How the user can call this program: its name where it is on the path, else where it is."""
    if shutil.which("touchline") is not None:
        return "touchline"
    script = Path(sys.executable).parent / "touchline"
    try:
        return str(script.relative_to(Path.cwd()))
    except ValueError:
        return str(script)
