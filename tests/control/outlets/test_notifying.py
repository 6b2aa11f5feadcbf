"""What users want to be told: quiet hours by the clock on their wall, and secrets that only roles read."""

from datetime import UTC, datetime

import pytest

from control.outlets.notifying import Notifying, off_of, read_quiet, shown
from control.outlets.secrets import Secrets
from control.outlets.service import check_secret, new_secret
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_quiet_hours_go_over_midnight_and_by_the_zone() -> None:
    quiet = read_quiet("22:00-07:00 Europe/Paris")
    assert quiet.until(at("2026-07-01T19:59")) == 0  # 21:59 in Paris
    assert quiet.until(at("2026-07-01T20:00")) == at("2026-07-02T05:00")
    assert quiet.until(at("2026-07-02T04:59")) == at("2026-07-02T05:00")
    assert quiet.until(at("2026-07-02T05:00")) == 0
    # In the night in which clocks are set back it is an hour longer.
    assert quiet.until(at("2026-10-24T22:00")) == at("2026-10-25T06:00")
    day = read_quiet("09:30-17:15 UTC")
    assert day.until(at("2026-01-01T09:29")) == 0
    assert day.until(at("2026-01-01T09:30")) == at("2026-01-01T17:15")


WRONG = ("", "22-07", "22:00-07:00", "24:00-07:00 UTC", "22:00-07:00 Mars/Base", "07:00-07:00 UTC")


@pytest.mark.parametrize("text", [*WRONG, "22:00-07:00 ../../etc/passwd", "22:00-07:00 /etc/passwd"])
def test_what_are_no_quiet_hours(text: str) -> None:
    with pytest.raises(TouchlineError) as refused:
        read_quiet(text)
    assert refused.value.code == "bad_request"


def test_types_are_those_there_are() -> None:
    assert off_of({"mention": False, "reply": True}) == ("mention",)
    for wrong in ({"everything": False}, {"mention": 0}, {"mention": None}):
        with pytest.raises(TouchlineError):
            off_of(wrong)
    assert shown(Notifying(user="ana", off=("friend",), push="sealed"))["types"]["friend"] is False
    assert "sealed" not in str(shown(Notifying(user="ana", push="sealed", secret="sealed")))


def test_secrets_are_opened_by_roles_alone_and_for_what_they_were_sealed() -> None:
    roles, others = Secrets(Auth(internal_secret="s" * 32)), Secrets(Auth(internal_secret="x" * 32))
    sealed = roles.seal("whsec_abc", "hook")
    assert "abc" not in sealed
    assert roles.open(sealed, "hook") == "whsec_abc"
    for who, about in ((others, "hook"), (roles, "another"), (Secrets(Auth()), "hook")):
        with pytest.raises(TouchlineError):
            who.open(sealed, about)
    with pytest.raises(TouchlineError):
        roles.open("no base64!", "hook")
    with pytest.raises(TouchlineError) as refused:
        Secrets(Auth()).seal("x", "hook")
    assert refused.value.code == "bad_setting"


def test_secrets_of_receivers() -> None:
    assert check_secret(new_secret()).startswith("whsec_")
    for wrong in ("", "whsec_", "x", "ä" * 10, "x" * 300):
        with pytest.raises(TouchlineError):
            check_secret(wrong)
