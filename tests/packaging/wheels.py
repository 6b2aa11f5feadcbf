"""Wheels of this checkout, and environments in which nothing is but what a wheel asks for."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = str(Path(sys.executable).with_name("uv"))


def build(into: Path, *, target: str = "wheel", source: Path = ROOT) -> Path:
    """Build a wheel, or what it can be built from; raises CalledProcessError with what the builder said."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(into)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    (made,) = (path for path in into.iterdir() if path.suffix in (".whl", ".gz"))
    return made


def names(wheel: Path) -> list[str]:
    """The files of a wheel."""
    with zipfile.ZipFile(wheel) as files:
        return files.namelist()


class Environment:
    """A virtual environment with a wheel in it, and what the wheel and these of its extras ask for."""

    def __init__(self, home: Path, wheel: Path, extras: str = "") -> None:
        self.home = home
        self.bin = home / "bin"
        self.python = str(self.bin / "python")
        self.touchline = str(self.bin / "touchline")
        self._uv("venv", "--python", sys.executable, str(home))
        what = f"touchline[{extras}] @ {wheel.as_uri()}" if extras else str(wheel)
        compiled = () if extras else ("--compile-bytecode",)  # the small one is started many times
        self._uv(
            "pip", "install", *compiled, "--python", self.python, "-c", str(ROOT / "requirements.lock"), what
        )

    def run(self, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment, which inherits nothing from the one that tests."""
        path = f"{self.bin}:/usr/bin:/bin"
        return subprocess.run(
            arguments,
            cwd=cwd,
            env={"PATH": path, "HOME": str(cwd), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def says(self, code: str, *, cwd: Path, **environment: str) -> str:
        """What a Python program prints; it must end well."""
        done = self.run(self.python, "-W", "error", "-c", code, cwd=cwd, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @staticmethod
    def _uv(*arguments: str) -> None:
        done = subprocess.run([UV, *arguments, "--quiet"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
