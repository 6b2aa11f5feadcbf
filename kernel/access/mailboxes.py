"""To whom e-mail may be sent: whom the operator has named, and each user at their own address. Pure.

Nobody is asked by e-mail whether they want some: that would be one that they did not ask for.
"""

import re
from typing import Final

from kernel.errors import TouchlineError
from kernel.settings.outbox import Outbox

MAILTO: Final = "mailto:"
#: Of what an address may be, so much: no quotation marks, comments, escapes or lists, nothing of a header.
_NAME: Final = r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,62}[A-Za-z0-9])?"
_ADDRESS: Final = re.compile(rf"{_NAME}@[A-Za-z0-9](?:[A-Za-z0-9.-]{{0,251}}[A-Za-z0-9])?")
#: In an entry of the setting: whoever sets it.
_USER: Final = "{user}"


def is_mail(url: str) -> bool:
    """Whether this leads to a mailbox."""
    return url.startswith(MAILTO)


def mailbox_of(url: str, user: str | None, settings: Outbox, *, own: bool) -> str:
    """The address of a `mailto:` that `user` has set, of what is their `own` or of what they administer.

    Raises `bad_request`, or `forbidden` where that is nobody to whom they may have e-mail sent."""
    address = url.removeprefix(MAILTO)
    if not is_mail(url) or ".." in address or not _ADDRESS.fullmatch(address):
        raise TouchlineError(
            "bad_request",
            f"{url[:100]!r} is no address: write mailto: and one mailbox, like mailto:ana@example.com.",
        )
    if not settings.mail_server or not settings.mail_from:
        raise TouchlineError(
            "forbidden",
            "No e-mail is sent from here.",
            hint="TOUCHLINE_OUTBOX_MAIL_SERVER and TOUCHLINE_OUTBOX_MAIL_FROM say how.",
        )
    theirs = user is not None and re.fullmatch(_NAME, user) is not None
    allowed = [
        entry.replace(_USER, user or "")
        for entry in settings.mail_to
        if (theirs if _USER in entry else not own)
    ]
    if address.lower() not in map(str.lower, allowed):
        raise TouchlineError(
            "forbidden",
            f"{address} is nobody to whom you may have e-mail sent.",
            hint="TOUCHLINE_OUTBOX_MAIL_TO names addresses, and with {user} everybody's own.",
        )
    return address
