"""The environment of every Java process that is started here."""

import os
from typing import Final

#: The second is Java's own: the options that stand there are added to those of the command line.
_KEPT: Final = ("PATH", "JDK_JAVA_OPTIONS")


def java_environment() -> dict[str, str]:
    """Of this process's variables only these, so that a server is the same whoever starts it."""
    mine = {"PATH": os.defpath, **os.environ}
    return {"LANG": "C.UTF-8", **{name: mine[name] for name in _KEPT if name in mine}}
