"""`python -m chaos.skewed FILE COMMAND…`: a role whose wall clock is off by as many seconds as FILE says."""

import contextlib
import sys
import threading
import time
from pathlib import Path
from typing import Final

from kernel.clock import SystemClock
from touchline.cli import main

_LOOK_S: Final = 0.5


class SkewedClock(SystemClock):
    """The machine's clock, moved."""

    offset_ms = 0

    def now_ms(self) -> int:
        """What the role takes for the time."""
        return super().now_ms() + SkewedClock.offset_ms


def _follow(file: Path) -> None:
    while True:
        with contextlib.suppress(OSError, ValueError):
            SkewedClock.offset_ms = round(float(file.read_text()) * 1000)
        time.sleep(_LOOK_S)


if __name__ == "__main__":
    import kernel.clock

    threading.Thread(target=_follow, args=(Path(sys.argv[1]),), daemon=True).start()
    # Commands import it when they run.
    setattr(kernel.clock, "SystemClock", SkewedClock)  # noqa: B010
    main(sys.argv[2:])
