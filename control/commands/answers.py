"""The fold's answer over the log: who posts with `wait: accepted` is told what became of the event.

Whoever asks reads one partition of touchline.answers from when they began, and drops undecoded what is under
other names (control/commands/asker.py). Nothing is read before the first question.
"""

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final, Protocol
from zlib import crc32

from confluent_kafka import Consumer, KafkaException, TopicPartition

from control.commands.asker import Asker
from control.numbering import Position
from kernel.errors import CODES, TouchlineError
from kernel.log.kafka import client_config, what_came
from kernel.log.records import Headers
from kernel.log.topics import topic_names
from kernel.process.lines import Lines
from kernel.process.logs import get_logger
from kernel.settings.reading import Settings
from schemas.codec import Undecodable
from schemas.registry import codec_for

_log = get_logger("touchline.answers")
_lines = Lines("touchline.answers")

#: How long a poster waits: until answers are heard, for Kafka, and for the fold, all of it together.
WITHIN_S: Final = 2.0
_BEGIN_S: Final = 10.0
_BATCH: Final = 500
_POLL_S: Final = 0.25


class Question:
    """A question on its way: `headers` go with the record, `answer` comes."""

    def __init__(self, answers: "Answers", asker: Asker) -> None:
        self._answers, self._number = answers, asker.number
        self.headers: Final[Headers] = asker.header
        #: The event's seq and id (a repeat's: those of the first one), or the refusal.
        self.answer: Final[Future[Position]] = Future()

    def forget(self) -> None:
        """Nobody waits any more."""
        self._answers.waiting.pop(self._number, None)


class Answers:
    """The questions of one process, for threads and event loops."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._topic = settings, topic_names(settings).answers
        self._codec = codec_for(settings, "answer")
        self._name = secrets.token_urlsafe(9).encode()
        self._last = 0
        self._one = threading.Lock()
        self._tail: threading.Thread | None = None
        self._stopping = threading.Event()
        #: The partition that is read; once it is.
        self._begun: Future[int] = Future()
        self.waiting: dict[int, Question] = {}

    def begin(self) -> None:
        """Start reading: what was answered before is not heard."""
        with self._one:
            if self._tail is None:
                self._tail = threading.Thread(target=self._read, name="answers", daemon=True)
                self._tail.start()

    def ask(self, within_s: float = WITHIN_S) -> Question:
        """A new question; waits until answers are read. Raises `unavailable` where that takes longer."""
        self.begin()
        try:
            return self._question(self._begun.result(within_s))
        except TimeoutError:
            raise not_asked(within_s) from None

    async def ask_soon(self) -> Question:
        """The same in an event loop, for as long as whoever asks waits (`judged`)."""
        if self._begun.done():  # at once: events that ask keep their order
            return self._question(self._begun.result())
        self.begin()
        # Shielded: who gives up waiting gives up for themselves only.
        return self._question(await asyncio.shield(asyncio.wrap_future(self._begun)))

    def close(self) -> None:
        """Stop reading. Blocks for a moment."""
        self._stopping.set()
        if self._tail is not None:
            self._tail.join()

    def _question(self, partition: int) -> Question:
        with self._one:
            self._last += 1
            question = Question(self, Asker(partition, self._name, self._last))
            self.waiting[self._last] = question
        return question

    # ── in the thread that reads ─────────────────────────────────────────────────────────────────────

    def _read(self) -> None:
        consumer = Consumer(
            client_config(
                self._settings,
                group_id="touchline-answers",  # never joined: the partition is assigned by hand
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                fetch_error_backoff_ms=50,
            )
        )
        try:
            partition = self._go_to_the_end(consumer)
            if partition is not None:
                self._begun.set_result(partition)
            while not self._stopping.is_set():
                for message in what_came(consumer, _BATCH, _POLL_S):
                    if message.error() is None and message.key() == self._name:
                        self._heard(message.value() or b"")
        finally:
            consumer.close()

    def _go_to_the_end(self, consumer: Consumer) -> int | None:
        while not self._stopping.is_set():
            try:
                known = consumer.list_topics(self._topic, timeout=_BEGIN_S).topics[self._topic].partitions
                if known:
                    partition = crc32(self._name) % len(known)
                    at = TopicPartition(self._topic, partition)
                    _, end = consumer.get_watermark_offsets(at, timeout=_BEGIN_S)
                    consumer.assign([TopicPartition(self._topic, partition, end)])
                    return partition
            except KafkaException as error:
                _log.warning("waiting for the answers' topic", why=str(error))
            self._stopping.wait(1.0)
        return None

    def _heard(self, value: bytes) -> None:
        try:
            answer = self._codec.decode(value)
        except Undecodable as error:
            _lines.warning("an answer is not readable", why=error.message)
            return
        question = self.waiting.pop(answer["number"], None)
        if question is None or not question.answer.set_running_or_notify_cancel():
            return
        if answer["seq"] is not None:
            question.answer.set_result(Position(answer["seq"], answer["id"] or ""))
        else:
            question.answer.set_exception(Refused(answer))


class Refused(TouchlineError):  # noqa: N818 - it reads as what it says
    """The fold has refused the event. A newer worker may have codes that are not known here."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        code = answer["code"]
        super().__init__(code if code in CODES else "bad_request", answer["message"] or "It was refused.")


class NotAnswered(TouchlineError):  # noqa: N818 - it reads as what it says
    """It was posted, as far as is known, and nobody knows what became of it."""

    def __init__(self, within_s: float = WITHIN_S) -> None:
        super().__init__(
            "unavailable",
            f"The event was not judged within {within_s:g} s: it may still be accepted, or refused.",
            hint="Send it again with the same key: it counts once.",
        )


def not_asked(within_s: float) -> TouchlineError:
    """Answers were not heard in time: nothing was posted."""
    return TouchlineError(
        "unavailable",
        f"Kafka was not ready within {within_s:g} s to say what becomes of the event: it was not posted.",
        hint="Send it again.",
    )


class Asking(Protocol):
    """The way to the fold's answer."""

    async def ask_soon(self) -> Question: ...


async def judged(
    answers: Asking, post: Callable[[Headers], Awaitable[object]], within_s: float = WITHIN_S
) -> Position:
    """Post with a question's headers, and wait for the fold's word; all of it takes no longer than this.

    Raises Refused, what `post` raises, NotAnswered, or `unavailable` where it came to no posting.
    """
    question: Question | None = None
    try:
        async with asyncio.timeout(within_s):
            question = await answers.ask_soon()
            await post(question.headers)
            return await asyncio.wrap_future(question.answer)
    except TimeoutError:
        raise not_asked(within_s) if question is None else NotAnswered(within_s) from None
    finally:
        if question is not None:
            question.forget()
