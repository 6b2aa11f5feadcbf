"""Makes the record on touchline.rejected of a record or command that is refused."""

import traceback
from pathlib import Path
from typing import Final

from kernel.errors import TouchlineError
from kernel.log.records import Record, Write
from kernel.log.topics import MAX_RECORD_BYTES
from kernel.process.logs import get_logger
from kernel.process.metrics import FAILED
from schemas.catalog import Catalog
from schemas.codec import Codec
from schemas.registry import RegistryAway

_log = get_logger("touchline.rejections")

#: What says nothing about the record: the process ends, and the record is read again.
FAULTS: Final = (RegistryAway, MemoryError, OSError)
#: Longest sentence in a rejection: some quote what they refuse.
_MAX_MESSAGE: Final = 2000
#: A longer key is no channel's: it is kept cut.
_MAX_KEY: Final = 1024
#: Beside the value: sentence, sender and key in UTF-8, the record's key twice, Kafka's framing.
_BESIDE: Final = 4 * (_MAX_MESSAGE + 2 * 128) + 2 * _MAX_KEY + 4096


class Rejections:
    """Makes them for one topic of touchline.rejected."""

    def __init__(self, topic: str, catalog: Catalog | None = None) -> None:
        self._topic = topic
        self._encode = Codec("rejection", catalog).encode

    def write(
        self,
        source: str,
        partition: int,
        record: Record,
        error: TouchlineError,
        *,
        sender: str | None = None,
        key: str | None = None,
    ) -> Write:
        """The refusal of a record that lies there. It always fits into a record."""
        record_key = None if record.key is None else record.key[:_MAX_KEY]
        rejection = {
            "reason": error.code,
            "message": _text(error.message[:_MAX_MESSAGE]),
            "topic": source,
            "partition": partition,
            "offset": record.offset,
            "append_ts": record.append_ms,
            "record_key": record_key,
            "value": (record.value or b"")[: MAX_RECORD_BYTES - _BESIDE],
            "sender": None if sender is None else _text(sender[:128]),
            "key": None if key is None else _text(key[:128]),
        }
        return Write(self._topic, self._encode(rejection), record_key, -1, record.append_ms)


def unexpected(error: Exception, what: str) -> TouchlineError:
    """The refusal for an error that nobody has thought about: it is a mistake of ours, told to operators.

    It refuses the one record that it came of. To end the process would be no better: it is read again.
    """
    FAILED.labels(what).inc()
    last = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in last)
    _log.error("refused by an error that nobody thought of", what=what, error=repr(error)[:500], place=place)
    return TouchlineError(
        "not_processed", f"The {what} cannot be processed: it is one that nobody has thought of ({place})."
    )


def _text(text: str) -> str:
    """Without halves of surrogates, which no record can hold."""
    return text.encode("utf-8", "replace").decode()
