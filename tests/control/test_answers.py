"""Who waits for the fold's word waits one time for all of it, and is told whether anything was posted."""

import asyncio

import pytest

from control.commands.answers import Answers, NotAnswered, Question, judged
from control.commands.asker import Asker
from control.numbering import Position
from kernel.errors import TouchlineError
from kernel.log.records import Headers
from kernel.settings.reading import Settings

SOON_S = 0.2


class Heard:
    """The way to answers, which is there after a while."""

    def __init__(self, after_s: float = 0.0) -> None:
        self._after_s, self._answers = after_s, Answers(Settings())  # nobody lets it begin
        self.questions: list[Question] = []

    async def ask_soon(self) -> Question:
        await asyncio.sleep(self._after_s)
        question = Question(self._answers, Asker(0, b"me", len(self.questions)))
        self._answers.waiting[len(self.questions)] = question
        self.questions.append(question)
        return question

    @property
    def waiting(self) -> int:
        return len(self._answers.waiting)


async def test_where_answers_are_not_heard_nothing_is_posted() -> None:
    posted: list[Headers] = []

    async def post(headers: Headers) -> None:
        posted.append(headers)

    with pytest.raises(TouchlineError, match="it was not posted") as told:
        await asyncio.wait_for(judged(Heard(after_s=600), post, SOON_S), 60)
    assert (told.value.code, posted) == ("unavailable", [])
    assert not isinstance(told.value, NotAnswered)


@pytest.mark.parametrize("confirmed", [True, False])
async def test_what_is_posted_and_not_answered_may_still_be_accepted(confirmed: bool) -> None:
    answers, posted = Heard(after_s=SOON_S / 4), list[Headers]()

    async def post(headers: Headers) -> None:
        posted.append(headers)
        if not confirmed:
            await asyncio.Event().wait()

    with pytest.raises(NotAnswered, match="may still be accepted"):
        await asyncio.wait_for(judged(answers, post, SOON_S), 60)
    assert posted == [answers.questions[0].headers]
    assert answers.waiting == 0, "nobody waits for it any more"


async def test_the_answer_is_what_was_posted_with_the_question() -> None:
    answers = Heard()

    async def post(headers: Headers) -> None:
        assert headers == answers.questions[0].headers
        answers.questions[0].answer.set_result(Position(7, "id7"))

    assert await judged(answers, post, 60) == Position(7, "id7")
    assert answers.waiting == 0


async def test_what_cannot_be_posted_is_told_as_it_is() -> None:
    answers = Heard()

    async def post(_: Headers) -> None:
        raise TouchlineError("queue_full", "Too many events are waiting for Kafka: try again.")

    with pytest.raises(TouchlineError, match="Too many"):
        await judged(answers, post, 60)
    assert answers.waiting == 0
