"""Builds broadcast.c where there is a C compiler; without one the package does the same in Python."""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE, LIBRARY = "consumers/delivery/broadcast.c", "consumers/delivery/libbroadcast.so"


class FanOut(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the library beside its source, for a wheel and for a checkout alike."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compiler = shlex.split(os.environ.get("CC", "cc"))
        command = [*compiler, "-O2", "-shared", "-fPIC", "-o", LIBRARY, SOURCE]
        try:
            subprocess.run(command, cwd=self.root, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            Path(self.root, LIBRARY).unlink(missing_ok=True)
            print(f"{SOURCE} was not built ({error}): edges write to one viewer at a time.", file=sys.stderr)
            return
        build_data["artifacts"].append(LIBRARY)
        if version == "standard":
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data |= {"pure_python": False, "tag": f"py3-none-{platform}"}
