"""A gateway's refusal as it is read by whoever asked: RFC 9457 with a code of ours."""

from typing import Final

import msgspec

from kernel.errors import CODES, TouchlineError

_SILENT: Final = "The server does not say what is wrong."


class _Problem(msgspec.Struct):
    code: str = "unavailable"
    detail: str = _SILENT


def read_problem(answer: bytes) -> TouchlineError | None:
    """The error that an answer tells; None where it tells none. A code that is not known is `unavailable`."""
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.DecodeError:
        return None
    return TouchlineError(problem.code if problem.code in CODES else "unavailable", problem.detail)


def problem_of(answer: bytes) -> TouchlineError:
    """The same of a server that is known to be a gateway."""
    return read_problem(answer) or TouchlineError("unavailable", _SILENT)
