"""Jobs that are done side by side, each as soon as what it rests on is done."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple


class Job(NamedTuple):
    """Something to do, once those that it names are done. Names that no job has are done already."""

    name: str
    rests_on: Sequence[str]
    work: Callable[[], object]


def do(jobs: Sequence[Job], say: Callable[[str], None]) -> None:
    """All of them, each after those that it rests on. Where one fails nothing more is begun."""
    done: dict[str, Future[None]] = {}
    failed = threading.Event()

    def one(job: Job, before: list[Future[None]]) -> None:
        for other in before:
            other.result()
        if failed.is_set():
            return
        begun = time.monotonic()
        try:
            job.work()
        except BaseException:
            failed.set()
            raise
        if (took := time.monotonic() - begun) > 1:
            say(f"{job.name}: {took:.0f} s")

    # A thread for each: one that waits costs nothing, and none waits for a thread.
    with ThreadPoolExecutor(max(1, len(jobs))) as threads:
        for job in jobs:
            before = [done[name] for name in job.rests_on if name in done]
            done[job.name] = threads.submit(one, job, before)
    for future in done.values():
        future.result()
