"""Errors as part of the interface: a stable code, a sentence, and what to do about it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

#: Every code that a user can meet, and what it means. Clients branch on codes, people read sentences:
#: a code is never renamed, and never used for a second meaning.
CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        # what a client can get wrong (the same names on the WebSocket, over HTTP and in the SDK)
        "bad_request": "The request cannot be understood; the message says where.",
        "unknown_op": "There is no such operation in this version of the protocol.",
        "unauthorized": "A valid token is needed.",
        "forbidden": "The token is valid, but does not allow this.",
        "not_found": "There is nothing of that name.",
        "exists": "There is something of that name already.",
        "too_many": "There would be more of them than are allowed; the message says how many are.",
        "muted": "You may not publish here for now.",
        "ended": "It is over: nothing more counts.",
        "expired": "The time for this is over: the address, or what it leads to, has had its day.",
        "too_large": "The message or body is larger than the limit.",
        "unsupported_media_type": "The body's content type or encoding is not one that is read here.",
        "invalid_event": "The event does not have the shape that its kind asks for.",
        "rate_limited": "Too many requests in too short a time; the message says when to try again.",
        "limit_reached": "A limit on connections, subscriptions or the like is reached.",
        "unavailable": "A server that is needed does not answer right now; trying again later helps.",
        # what a record on the log can have wrong (reasons in touchline.rejected)
        "undecodable": "The record's bytes are not Avro or JSON of the kind's schema.",
        "unknown_schema": "The record names a schema id that Touchline does not know.",
        "bad_channel": "The name, or the record's key, is not a channel's name.",
        "moderated": "The channel's settings do not allow this content.",
        "not_processed": "The record or command set off an error that nobody thought of; the log has it.",
        "not_indexable": "Elasticsearch refused the document for good.",
        # what can go wrong in delivery and operation
        "not_delivered": "Kafka did not confirm the event in time; it may or may not be on the log.",
        "queue_full": "Too many events are waiting for Kafka; slow down or wait.",
        "closed": "The client was closed.",
        "bad_setting": "A setting is unknown or has a value that is not allowed.",
        "bad_data_dir": "The data directory cannot be used as it is.",
        "port_taken": "Another program listens on a port that is needed.",
        "disk_full": "There is not enough room on the disk.",
        "no_java": "There is no Java runtime for this platform.",
        "download_failed": "Something could not be fetched from a package registry.",
        "start_failed": "A process did not start.",
        "not_installed": "A part of Touchline is needed that was not installed; the message says which.",
        "not_running": "The pipeline is not running here.",
        "not_proven": "A run of `touchline chaos` found something that must not be.",
    }
)


class TouchlineError(Exception):
    """Something a user can act on. Printed as its sentence, never as a traceback."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        if code not in CODES:
            raise AssertionError(f"{code!r} is not in kernel.errors.CODES")
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message
