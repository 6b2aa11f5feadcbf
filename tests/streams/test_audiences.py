"""As many audiences as there are viewers are summed up beside the worker's loop."""

import time

from control.edges.presence import Slot
from streams.upkeep.channel_manager import summed


async def test_sixty_thousand_audiences_take_nothing_of_the_loop() -> None:
    viewers = {Slot(f"chat:c{number}", 1, 0): 1 for number in range(60_000)} | {Slot("chat:c7~2", 1, 0): 2}
    used = time.thread_time()
    sums = await summed(viewers)
    assert time.thread_time() - used < 0.02, "on the loop it is 0.1 s and more"
    assert (sums.channels["c7"], sums.streams["chat:c7~2"], sums.versions["c7"]) == (2, 2, {1: 3})
    assert len(sums.channels) == len(sums.order) == 60_000
    assert sums.order[:2] == ["c7", "c0"]
