"""A producer that outlives a fatal error of librdkafka: it is given up, and another one takes its place.

An idempotent producer that can no longer promise what it promises (a batch of which a part has timed out, a
broker that forgot it) is of no use from then on: it takes nothing, and its `poll` raises. Here what was under
way is reported as failed, to whoever waits for it, and what is posted after that goes out by a new one.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

from confluent_kafka import KafkaException, Producer

from kernel.process.logs import get_logger

_log = get_logger("touchline.producer")
_PURGE_S: Final = 5.0


class LastingProducer:
    """As much of confluent_kafka's Producer as is used here; any thread may call it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = dict(config)
        self._changing = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._kafka = Producer(self._config)
        #: Of the producer that there is now: who calls it often may keep it for a moment, not for good.
        self.produce: Callable[..., None] = self._kafka.produce

    def __len__(self) -> int:
        return len(self._kafka)

    def __bool__(self) -> bool:
        return True  # also where nothing is under way

    def list_topics(self, *args: Any, **kwargs: Any) -> Any:
        """What the brokers know of topics."""
        return self._kafka.list_topics(*args, **kwargs)

    def purge(self, **kwargs: bool) -> None:
        """Give up on what waits."""
        self._kafka.purge(**kwargs)

    def poll(self, timeout: float) -> int:
        """Serve reports; how many there were."""
        return self._served("poll", timeout)

    def flush(self, timeout: float) -> int:
        """Wait until all is reported; how many are not."""
        self._served("flush", timeout)
        return len(self._kafka)

    def _served(self, by: Literal["poll", "flush"], timeout: float) -> int:
        kafka = self._kafka
        try:
            served: int = getattr(kafka, by)(timeout)
        except KafkaException as error:
            if not error.args[0].fatal():
                raise
            return self._renew(kafka, error)
        return served

    def _renew(self, old: Producer, why: KafkaException) -> int:
        with self._changing:
            if old is not self._kafka:
                return 0  # another thread was quicker
            left = len(old)
            _log.warning("a producer is given up, and another one made", why=str(why), failed=left)
            self._open()
        old.purge()
        while len(old):
            try:
                if old.flush(_PURGE_S):
                    break
            except KafkaException:
                continue  # it says again that it is of no use
        return left
