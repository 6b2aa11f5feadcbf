"""Builds what wheel and checkout need: C beside its source; for a wheel, all folders inside of `touchline`.

The folders of the repository are top-level packages; in a wheel they would lie beside a user's own `schemas`
or `streams`. So a wheel has them as touchline.schemas and touchline.streams (docs/decisions/0006).
"""

import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HOME = "touchline"


def _beside(name: str) -> ModuleType:
    """A module that lies beside this one, which is no package."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Build(BuildHookInterface):  # type: ignore[type-arg]
    """Hatchling calls it before it packs a wheel, and before it makes an editable one."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        libraries = [*self._compiled()]
        build_data["artifacts"] += libraries
        if version != "standard":
            return
        if libraries:
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data |= {"pure_python": False, "tag": f"py3-none-{platform}"}
        self._stage = tempfile.TemporaryDirectory(prefix="touchline-wheel-")
        build_data["force_include"] |= self._staged(Path(self._stage.name), libraries)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if version == "standard":
            self._stage.cleanup()

    @property
    def _folders(self) -> list[str]:
        """The folders of the repository that a wheel carries inside of `touchline`."""
        return list(self.config["inside"])

    def _compiled(self) -> Iterable[str]:
        """Build each C file into a library beside it; without a compiler the same is done in Python."""
        compiler = shlex.split(os.environ.get("CC", "cc"))
        root = Path(self.root)
        for source in sorted(file for folder in self._folders for file in (root / folder).rglob("*.c")):
            library = source.with_name(f"lib{source.stem}.so")
            command = [*compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(source)]
            try:
                subprocess.run(command, cwd=root, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError) as error:
                library.unlink(missing_ok=True)
                print(
                    f"{source.name} was not built ({error}): edges write to one viewer at a time.",
                    file=sys.stderr,
                )
            else:
                yield library.relative_to(root).as_posix()

    def _staged(self, stage: Path, libraries: list[str]) -> dict[str, str]:
        """Every file of the wheel -> where it lies there; modules as they are there."""
        imports = _beside("hatch_imports")
        root = Path(self.root)
        folders = {str(root / name): name for name in (*self._folders, HOME)}
        chosen = {
            Path(f.relative_path).as_posix()
            for f in self.build_config.builder.recurse_explicit_files(folders)
        }
        files = sorted({*chosen, *libraries})
        modules = [file for file in files if file.endswith(".py")]
        there = {file.parent.name for file in root.glob("[!.]*/*.py")}
        layout = imports.layout(HOME, self._folders, modules, there)
        for place, claims in imports.clashes(files, layout).items():
            sys.exit(f"{' and '.join(claims)} would both be {place} in the wheel: rename one.")
        included: dict[str, str] = {}
        wrong: list[str] = []
        for file in files:
            source = root / file
            if file.endswith(".py"):
                source = stage / file
                source.parent.mkdir(parents=True, exist_ok=True)
                try:
                    text = imports.rewritten((root / file).read_text("utf-8"), file, layout)
                except imports.Unmapped as unmapped:
                    wrong.append(str(unmapped))
                    continue
                source.write_text(text, "utf-8")
            included[str(source)] = imports.wheel_path(file, layout)
        if wrong:
            sys.exit("The wheel cannot be built:\n" + "\n".join(wrong))
        return included
