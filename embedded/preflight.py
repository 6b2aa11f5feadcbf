"""What must be so before anything is started, looked at first, so that nothing stays half started."""

import shutil
from collections.abc import Sequence
from typing import Final

from embedded import ports
from embedded.backends import artifacts
from embedded.datadir import DataDirectory
from embedded.supervision import state
from embedded.supervision.plan import Claim, refuse_double_claims
from embedded.supervision.process import end_group
from kernel.errors import TouchlineError

#: Kafka and Elasticsearch stop taking data when the disk is full: better not to start then.
LEAST_FREE_BYTES: Final = 1_000_000_000


def check(directory: DataDirectory, claims: Sequence[Claim]) -> None:
    """Raise the first thing that stands in the way of a start."""
    artifacts.java_home()
    check_disk(directory)
    refuse_double_claims(list(claims))
    check_ports(claims)


def check_disk(directory: DataDirectory) -> None:
    """Refuse a disk that is nearly full."""
    free = shutil.disk_usage(directory.path).free
    if free < LEAST_FREE_BYTES:
        raise TouchlineError(
            "disk_full",
            f"Only {free / 1e9:.2f} GB are free on the disk of {directory.path}, and the servers want "
            f"{LEAST_FREE_BYTES / 1e9:.0f} GB.",
            hint="Free some, or name a directory on another disk with --data-dir.",
        )


def check_ports(claims: Sequence[Claim]) -> None:
    """Refuse ports that another program listens on, and say which program."""
    for claim in claims:
        if not ports.is_free(claim.port):
            holder = ports.holder(claim.port)
            raise TouchlineError(
                "port_taken",
                f"Port {claim.port}, which {claim.owner} needs, is taken by {holder or 'another program'}.",
                hint=f"Stop that program, or set {claim.setting} to a port that is free.",
            )


def end_leftovers(directory: DataDirectory) -> None:
    """End what a supervisor that was killed has left running, if anything.

    On Linux its children died with it, and only have to be waited for; elsewhere they have to be ended.
    """
    left = state.read(directory.state_file)
    if left is None:
        return
    for process in left.processes:
        if process.identity is not None:
            end_group(process.identity.pid, kill=process.identity.process() is not None)
    directory.state_file.unlink(missing_ok=True)
