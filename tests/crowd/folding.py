"""A fold of reactions by itself, for tests that need no server."""

from collections.abc import Callable
from typing import Any

from control.channels.channel import ChannelRecord, Settings
from control.crowd.totals import Total
from kernel.access.signing import Signer
from kernel.log.records import Partition
from kernel.settings.reading import Auth
from schemas.codec import Codec
from schemas.rejections import Rejections
from streams.crowd.fold import CrowdFold, Kept, Surroundings
from streams.fold.outputs.answering import Answers

SIGNER = Signer(Auth(internal_secret="s" * 32))


def new_fold(
    decode: Callable[[bytes], dict[str, Any]],
    kept: Callable[[bytes], Kept] = lambda _: Kept(None, ()),
    settings: Settings | None = None,
    ended: Callable[[Total], None] = lambda _: None,
) -> CrowdFold:
    """Its channels are all set like this; `kept` is what lies in its tables."""
    around = Surroundings(
        kept=kept,
        channel=lambda name: ChannelRecord(channel=name, settings=settings or Settings()),
        sanctions=lambda _: None,
        signer=SIGNER,
        decode=decode,
        answers=Answers(("answers", 1), Codec("answer").encode),
        rejections=Rejections("rejected"),
        tell_end=ended,
        tally=lambda *_: None,
        events_per_s=10,
    )
    return CrowdFold(Partition("reactions", 0), around)
