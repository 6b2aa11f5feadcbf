"""The tables of a role: the file, the thread that follows the topics, and a view of each type."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final, cast

from confluent_kafka import KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from control.entity.follower import Follower
from control.entity.stores.files import own_file
from control.entity.stores.opening import check_store, open_store
from control.entity.stores.store import Store
from control.entity.types import AnyType, EntityType, S
from control.entity.view import REMEMBERED, View
from kernel.clock import Clock
from kernel.errors import TouchlineError
from kernel.log.kafka import admin_client, client_config
from kernel.settings.reading import Settings

_ANSWER_S: Final = 10.0
_AGAIN_S: Final = 0.2
#: An owner whose table does not catch up in this time cannot go on.
_AT_END_S: Final = 60.0
#: How long a thread has to end.
_STOP_S: Final = 10.0


class Tables:
    """What a role holds of these types, while it is started."""

    def __init__(
        self,
        settings: Settings,
        role: str,
        types: Sequence[AnyType],
        *,
        clock: Clock,
        on_ready: Callable[[], None] = lambda: None,
        on_failed: Callable[[BaseException], None],
        remembered: int = REMEMBERED,
    ) -> None:
        self._settings, self._role, self._types, self._clock = settings, role, list(types), clock
        self._on_ready, self._on_failed = on_ready, on_failed
        self._views: dict[str, View[Any]] = {t.name: View(t, remembered=remembered) for t in types}
        self._open = contextlib.ExitStack()
        self._follower: Follower | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._filled = threading.Event()
        self._admin: AdminClient | None = None

    def view(self, type_: EntityType[S]) -> View[S]:
        """The entities of this type."""
        return cast("View[S]", self._views[type_.name])

    def start(self, *, in_loop: bool = True) -> None:
        """Take a file, and begin to follow. Raises `bad_setting` where there can be no file.

        Whoever is to be told is called in this thread's loop, or (not `in_loop`) in the follower's thread.
        """
        self._loop = asyncio.get_running_loop() if in_loop else None
        check_store(self._settings)
        path = self._open.enter_context(own_file(self._settings, self._role))

        self._follower = Follower(
            client_config(self._settings),
            self._types,
            lambda identity, anew: open_store(self._settings.state.store, path, identity, anew=anew),
            clock=self._clock,
            known={name: view.of_interest for name, view in self._views.items()},
            lists={name: view.lists for name, view in self._views.items() if view.type.few_listed},
            on_ready=lambda store: self._in_loop(self._ready, store),
            on_changed=lambda changed: self._in_loop(self._changed, changed),
            on_failed=lambda error: self._in_loop(self._on_failed, error),
        )
        self._follower.start()

    async def stop(self) -> None:
        """End the thread, and give the file back."""
        if self._follower is not None:
            self._follower.stop()
            await asyncio.to_thread(self._follower.join, _STOP_S)
        self._open.close()

    def close(self) -> None:
        """The same, where no loop runs. Blocks."""
        if self._follower is not None:
            self._follower.stop()
            self._follower.join(_STOP_S)
        self._open.close()

    def wait_ready(self, within_s: float) -> None:
        """Wait until the table is filled, where no loop runs. Blocks. Raises `unavailable`."""
        if not self._filled.wait(within_s):
            raise TouchlineError("unavailable", "The topics of states were not read in time.")

    async def at_end(self) -> None:
        """Return once all that lies in the topics now is in the table. Raises `unavailable`."""
        ends = await self._ends_patiently()
        reached: Future[None] = Future()

        def there() -> None:
            # Whoever waited may have given up: that ends nobody.
            if reached.set_running_or_notify_cancel():
                reached.set_result(None)

        if self._follower is not None:
            self._follower.when_at(ends, there)
        try:
            await asyncio.wait_for(asyncio.wrap_future(reached), _AT_END_S)
        except TimeoutError:
            raise TouchlineError(
                "unavailable", "The table of states did not catch up with its topics in time."
            ) from None

    async def _ends_patiently(self) -> dict[tuple[str, int], int]:
        # Not all brokers hear of a topic, or of more partitions, at once.
        deadline = self._clock.monotonic() + _ANSWER_S
        while True:
            try:
                return await asyncio.to_thread(self._ends)
            except KafkaException as error:
                if self._clock.monotonic() > deadline:
                    raise TouchlineError(
                        "unavailable", f"The ends of the topics of states are not known: {error}."
                    ) from error
            await asyncio.sleep(_AGAIN_S)

    def _ends(self) -> dict[tuple[str, int], int]:
        admin, self._admin = self._admin or admin_client(client_config(self._settings)), None
        topics = TopicCollection([each.topic for each in self._types])
        described = {n: f.result(timeout=_ANSWER_S) for n, f in admin.describe_topics(topics).items()}
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {
            TopicPartition(name, part.id): latest
            for name, topic in described.items()
            for part in topic.partitions
        }
        answers = admin.list_offsets(asked).items()
        ends = {(at.topic, at.partition): future.result(timeout=_ANSWER_S).offset for at, future in answers}
        self._admin = admin  # one that has failed is not asked again
        return ends

    # ── from the follower's thread ─────────────────────────────────────────────────────────────────────

    def _in_loop(self, call: Callable[..., None], *arguments: Any) -> None:
        if self._loop is None:
            call(*arguments)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to be told
            self._loop.call_soon_threadsafe(call, *arguments)

    def _ready(self, store: Store) -> None:
        try:
            for view in self._views.values():
                view.open(store)
            self._filled.set()
            self._on_ready()
        except Exception as error:
            self._on_failed(error)

    def _changed(self, changed: Mapping[str, set[bytes]]) -> None:
        try:
            for name, keys in changed.items():
                self._views[name].changed(keys)
        except Exception as error:
            self._on_failed(error)
