"""The time zone of this machine, by the name that servers know it by."""

import os
from datetime import datetime
from pathlib import Path
from typing import Final

from kernel.times import zone_of

_LOCALTIME: Final = Path("/etc/localtime")
_KEPT_IN: Final = "zoneinfo/"


def zone_here() -> str:
    """`Europe/Paris`, as TZ or /etc/localtime says; where neither names one, how far it is from UTC now."""
    for said in (os.environ.get("TZ", "").removeprefix(":"), _linked()):
        try:
            zone_of(said)
        except ValueError:
            continue
        return said
    return f"{datetime.now().astimezone():%z}"


def _linked() -> str:
    try:
        return str(_LOCALTIME.readlink()).partition(_KEPT_IN)[2]
    except OSError:  # none, or a copy of the zone's file
        return ""
