"""Whether Kafka has ever answered: until it has, what waits for it fails soon, with a sentence that says why.

Once it has answered, a Kafka that goes away is waited for as long as `[producer] delivery_timeout_s` says.
"""

import threading
from typing import Any, Final

from confluent_kafka import KafkaException

from kernel.errors import TouchlineError
from kernel.log.kafka import unreachable
from kernel.log.producing import LastingProducer
from kernel.log.topics import topic_names
from kernel.settings.reading import Settings
from producers.sending.delivery import failed

#: How long Kafka is asked at a time: so long may closing have to wait, and a busy broker may take to answer.
_ASK_S: Final = 1.0
#: Errors of the client that say more than that nobody answered.
_TELLING: Final = frozenset({"_RESOLVE", "_AUTHENTICATION", "_SSL", "SASL_AUTHENTICATION_FAILED"})


class Contact:
    """The first answer of Kafka, looked for in the delivery thread and awaited in others."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = topic_names(settings).control
        self._patience_s: Final = settings.producer.connect_timeout_s
        self._asked_s = 0.0
        self._why = ""
        self._made = threading.Event()

    def note(self, error: Any) -> None:
        """Hear what Kafka's client says of its connections."""
        if error.name() in _TELLING:
            # It comes between the address and the time that it took.
            self._why = error.str().partition(": ")[2].partition(" (after")[0]

    def seek(self, kafka: LastingProducer) -> bool:
        """Ask once; whether Kafka has answered. After too long a time, what waits for it fails."""
        try:
            kafka.list_topics(self._topic, timeout=_ASK_S)
        except KafkaException:
            self._asked_s += _ASK_S
            if self._asked_s >= self._patience_s:
                # Not what is in flight: that has reached a broker after all.
                kafka.purge(in_queue=True, in_flight=False)
            return False
        self._made.set()
        return True

    def wait(self) -> None:
        """Wait for the first answer. Raises `unavailable` when there is none in time."""
        if not self._made.wait(self._patience_s + _ASK_S):
            raise unreachable(self._settings, self._why)

    def explain(self, error: Any) -> TouchlineError:
        """A KafkaError of a delivery report as an error of ours."""
        if error.name() == "_PURGE_QUEUE" and self._asked_s >= self._patience_s:
            return unreachable(self._settings, self._why)
        return failed(error)
