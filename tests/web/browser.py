"""A real browser for tests: web/tests/browser/driver.mjs, spoken to through pipes."""

import json
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"
_TILES_STAND: Final = (
    "[...document.querySelectorAll('.leaflet-tile')].every(tile => getComputedStyle(tile).opacity === '1')"
)


def chromium() -> str | None:
    """The browser on this machine, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page:
    """A tab of its own, with its own storage."""

    def __init__(self, browser: "Browser", number: int) -> None:
        self._browser, self._number = browser, number

    def click(self, selector: str) -> None:
        self._browser.ask("click", page=self._number, selector=selector)

    def fill(self, selector: str, text: str) -> None:
        self._browser.ask("fill", page=self._number, selector=selector, text=text)

    def press(self, key: str) -> None:
        self._browser.ask("press", page=self._number, key=key)

    def download(self, selector: str) -> str:
        """Click on what saves a file; the file's text."""
        text: str = self._browser.ask("download", page=self._number, selector=selector)
        return text

    def evaluate(self, script: str) -> Any:
        return self._browser.ask("evaluate", page=self._number, script=script)

    def until(self, script: str, *, within: float = 60.0) -> Any:
        """Wait until this JavaScript expression is true; its value."""
        return self._browser.ask("until", page=self._number, script=script, timeout=within * 1000)

    def offline(self, offline: bool) -> None:
        self._browser.ask("offline", page=self._number, offline=offline)

    def cpu(self) -> float:
        """Seconds of CPU that the page's main thread has used."""
        used: float = self._browser.ask("cpu", page=self._number)
        return used

    def work(self, script: str) -> list[float]:
        """Run a script; the seconds of CPU that each task of the main thread took meanwhile."""
        return [ms / 1000 for ms in self._browser.ask("work", page=self._number, script=script)]

    def look(self, *, scheme: str, width: int, height: int) -> None:
        """Show the same page in other light, or on another device."""
        self._browser.ask("look", page=self._number, scheme=scheme, width=width, height=height)

    def picture(self, name: str, *, full: bool = False) -> None:
        """Keep a screenshot, for people to look at; `full`: all of the page, also what is scrolled to."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = str(PICTURES / f"{name}.png")
        self._browser.ask("screenshot", page=self._number, path=path, full=full)

    def release(self, of: int | None = None) -> None:
        """Let a page that was opened with `hold` hear what its edge has said, or so many messages of it."""
        self._browser.ask("release", page=self._number, of=of)

    def axe(self) -> list[str]:
        """Serious problems of accessibility; a map's tiles have no contrast while they fade in."""
        self.until(_TILES_STAND)
        found: list[str] = self._browser.ask("axe", page=self._number)
        return found

    def close(self) -> None:
        self._browser.ask("close", page=self._number)


class Browser:
    """Chromium, headless."""

    def __init__(self, node: Path, executable: str) -> None:
        self._process = subprocess.Popen(
            [str(node), str(ROOT / "web/tests/browser/driver.mjs"), executable],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, command: str, **given: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"command": command, **given}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the browser's driver ended"
        answer = json.loads(line)
        assert "error" not in answer, f"{command} {given}: {answer['error']}"
        return answer["result"]

    def open(self, url: str, **options: Any) -> Page:
        return Page(self, self.ask("open", url=url, **options))

    def close_pages(self) -> None:
        """All that are open."""
        self.ask("closeAll")

    def complaints(self) -> list[str]:
        """Errors of all pages, and what their content security policy refused."""
        found: list[str] = self.ask("complaints")
        return found

    def forget_complaints(self) -> list[str]:
        """The same, and they do not count any more."""
        found: list[str] = self.ask("forget")
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
