"""What a child process runs first: ties its life to its parent's, gives up root, becomes the program.

Run as a script (`python -I -S _child.py PARENT UID GID PROGRAM ARGS…`), and not as a function between
fork and exec, because a parent with threads may not safely run Python there.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, uid: int, gid: int, argv: list[str]) -> None:
    """Become the program `argv`; uid -1 means to stay who we are."""
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which clears it.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # died before we asked: nobody will tell us any more
            sys.exit(1)
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - to become the program is all this is for
    except OSError as error:
        sys.exit(f"{argv[0]} cannot be run: {error.strerror}.")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
