"""Which folding a channel's texts have: that of the language that is set for it, or one that looks at each.

A text has to be folded alike wherever it is looked at: indexed, edited, highlighted, matched with alerts. So
the setting counts as it stood when the message was appended, which all of them know.
"""

from collections.abc import Callable
from typing import Final

from control.channels.channel import ChannelRecord, default_record, settings_at
from kernel.errors import TouchlineError
from search_indexer.text.folding import Folding
from search_indexer.text.languages import stemmed_of

RecordOf = Callable[[str], ChannelRecord]


class ChannelFoldings:
    """The foldings of an index in one language, or in several."""

    def __init__(self, setting: str, record_of: RecordOf = default_record) -> None:
        """`setting` is that of the index; `record_of` a channel or lane, which is asked where there are
        several languages."""
        #: Of texts of which nobody says in which language they are; and of queries.
        self.any: Final = Folding(setting)
        languages = stemmed_of(setting)
        self._set = {name: self.any.in_(name) for name in languages} if len(languages) > 1 else {}
        self._record_of = record_of

    def of(self, channel: str, at_ms: int) -> Folding:
        """That of a message that was appended then."""
        if not self._set:
            return self.any
        language = settings_at(self._record_of(channel), at_ms).language
        return self.any if language is None else self._set.get(language, self.any)


def check_language(setting: str, name: str | None) -> None:
    """Raise `bad_request` where a channel cannot have this language, because the index does not know it."""
    allowed = stemmed_of(setting)
    if name is not None and name not in allowed:
        raise TouchlineError(
            "bad_request",
            f"The index has no language {name[:40]!r}: it is {' or '.join([*allowed, 'null'])}.",
            hint="The languages are those of TOUCHLINE_ELASTICSEARCH_LANGUAGE.",
        )
