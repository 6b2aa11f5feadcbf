"""The fold's answers to those who asked for one, as records of touchline.answers. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from control.channels.epochs import Epochs
from control.commands.asker import Asker
from kernel.errors import TouchlineError
from kernel.log.positions import Kind, make_id, make_seq
from kernel.log.records import Record, Write
from streams.fold.checks.repeats import Repeats

_MAX_MESSAGE: Final = 2000


class Answers:
    """What is written to whom.

    `topic` is that of the answers, with its partition count: who names a partition that is not there gets
    no answer.
    """

    def __init__(self, topic: tuple[str, int], encode: Callable[[Mapping[str, Any]], bytes]) -> None:
        self._topic, self._partitions = topic
        self._encode = encode

    def accepted(self, asker: Asker, seq: int, event_id: str) -> list[Write]:
        """It is this event."""
        return self._to(asker, {"seq": seq, "id": event_id, "code": None, "message": None})

    def refused(self, asker: Asker, error: TouchlineError) -> list[Write]:
        """It is none."""
        message = error.message[:_MAX_MESSAGE]
        return self._to(asker, {"seq": None, "id": None, "code": error.code, "message": message})

    def _to(self, asker: Asker, answer: dict[str, Any]) -> list[Write]:
        if asker.partition >= self._partitions:
            return []
        value = self._encode({"number": asker.number, **answer})
        return [Write(self._topic, value, asker.name, asker.partition)]


class Answering(Answers):
    """The same about the events of one ingest partition."""

    def __init__(
        self,
        kind: Kind,
        partition: int,
        epochs: Epochs,
        topic: tuple[str, int],
        encode: Callable[[Mapping[str, Any]], bytes],
    ) -> None:
        super().__init__(topic, encode)
        self._kind, self._partition, self._epochs = kind, partition, epochs

    def repeat(self, asker: Asker, record: Record, keys: Iterable[str], repeats: Repeats) -> list[Write]:
        """It repeats an event: that one's place; nothing where none is known."""
        for key in keys:
            first = repeats.first(key, record.append_ms, record.offset)
            if first is not None:
                append_ms, offset = first
                seq = make_seq(self._epochs.of(offset), offset)
                return self.accepted(asker, seq, make_id(self._kind, append_ms, self._partition, offset))
        return []
