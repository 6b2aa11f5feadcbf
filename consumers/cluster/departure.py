"""How an edge leaves without anybody missing anything, in five steps. docs/protocol.md §7.

Not ready for the balancer; no new viewers; each present one is told when to go, spread over the time; whoever
stays past the deadline is closed; then the partitions are handed over (by whoever called this).
"""

import asyncio
import contextlib
from typing import Final

from consumers.protocol.messages import Drain
from consumers.service.admission import Admission
from kernel.close_codes import Close
from kernel.process.health import Health
from kernel.process.logs import get_logger

_log = get_logger("touchline.departure")
#: The last part of the time is for those who were told to go late to arrive elsewhere.
_SPREAD: Final = 0.7
_LOOK_S: Final = 0.05
_DRAINED_AT_ONCE: Final = 500


async def depart(admission: Admission, health: Health, *, seconds: float) -> None:
    """Send everybody elsewhere. Returns when all have gone, or the time is over."""
    health.fail("drain", "this edge is leaving")
    admission.open = False
    present = admission.viewers()
    if not present:
        return
    _log.info("draining", viewers=len(present), seconds=seconds)
    for number, viewer in enumerate(present):
        own_ms = round(1000 * seconds * _SPREAD * number / len(present))
        viewer.send(Drain(reconnect_in_ms=own_ms, deadline_ms=round(1000 * seconds)))
        if number % _DRAINED_AT_ONCE == _DRAINED_AT_ONCE - 1:
            await asyncio.sleep(0)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while admission.viewers():  # noqa: ASYNC110 - seldom
                await asyncio.sleep(_LOOK_S)
    stayed = admission.viewers()
    for viewer in stayed:
        viewer.end(Close.DRAINING)
    _log.info("drained", stayed=len(stayed))
