"""Where receivers' names lead to: looked up in threads of their own, and only where may be posted to.

Whoever registers a receiver may have a name server that never answers: each look-up of its names holds a
thread until the system gives it up, and that cannot be cancelled. So names that were answered for at once
the last time have threads of their own, which those that were not cannot take; and neither takes those in
which the outbox reads the log.
"""

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

from kernel.access.outward import Outward
from kernel.clock import Clock

#: Threads for names that are answered for, and as many for all others.
THREADS: Final = 8
#: A name that takes longer is not answered for at once.
_AT_ONCE_S: Final = 1.0
#: Names of which that is remembered.
_MOST: Final = 10_000

#: As `socket.getaddrinfo`.
LookUp = Callable[..., Sequence[tuple[Any, ...]]]


class NotAllowedError(OSError):
    """A name leads to an address that nothing is posted to."""


class CheckedResolver(AbstractResolver):
    """Resolves names, and hands on only addresses that may be connected to."""

    def __init__(self, outward: Outward, clock: Clock, look_up: LookUp = socket.getaddrinfo) -> None:
        self._outward, self._clock, self._look_up = outward, clock, look_up
        self._answered, self._others = (
            ThreadPoolExecutor(THREADS, thread_name_prefix=name) for name in ("names", "other-names")
        )
        #: The names that were answered for at once the last time.
        self._quick: OrderedDict[str, None] = OrderedDict()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        threads = self._answered if host in self._quick else self._others
        ask = partial(
            self._look_up, host, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        self._quick.pop(host, None)  # until it is answered for again
        began = self._clock.monotonic()
        found = await asyncio.get_running_loop().run_in_executor(threads, ask)
        if self._clock.monotonic() - began < _AT_ONCE_S:
            self._quick[host] = None
            if len(self._quick) > _MOST:
                self._quick.popitem(last=False)
        allowed = [
            ResolveResult(
                hostname=host, host=address[0], port=address[1], family=kind, proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
            if self._outward.allows(address[0])
        ]  # fmt: skip
        if not allowed:
            raise NotAllowedError(f"{host} leads to an address that nothing is posted to")
        return allowed

    async def close(self) -> None:
        for threads in (self._answered, self._others):
            threads.shutdown(wait=False, cancel_futures=True)
