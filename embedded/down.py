"""What `touchline down` does: asks the supervisor to stop, and sees to it that nothing stays."""

import contextlib
from typing import Final

import psutil

from embedded import preflight
from embedded.datadir import DataDirectory

_GRACE_SECONDS: Final = 90.0


def stop(directory: DataDirectory) -> bool:
    """Stop the pipeline that runs in this directory; False if none does."""
    pid = directory.holder()
    if pid is None:
        preflight.end_leftovers(directory)
        return False
    with contextlib.suppress(psutil.NoSuchProcess):  # it was just about to end
        supervisor = psutil.Process(pid)
        supervisor.terminate()
        try:
            supervisor.wait(_GRACE_SECONDS)
        except psutil.TimeoutExpired:
            supervisor.kill()
            supervisor.wait(10)
        preflight.end_leftovers(directory)
    return True
