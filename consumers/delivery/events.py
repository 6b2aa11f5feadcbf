"""Some of a stream's events, in order, ready for each way in which they are sent."""

from collections.abc import Sequence

from consumers.delivery.conflation import latest_places, sender_in
from consumers.transport.frames import payload_of


class Events:
    """An event is kept once, as its frame; whoever sends it otherwise takes its payload."""

    __slots__ = ("_senders", "frames", "seqs")

    def __init__(
        self, seqs: Sequence[int], frames: Sequence[bytes], senders: Sequence[str | None] | None = None
    ) -> None:
        """`senders` are those of the events, where they are known: history has only what it shows."""
        self.seqs, self.frames, self._senders = seqs, frames, senders

    def __len__(self) -> int:
        return len(self.seqs)

    @property
    def chunk(self) -> bytes:
        """All of them in one write to a WebSocket."""
        return b"".join(self.frames)

    def payloads(self) -> list[tuple[int, bytes]]:
        """Each sequence number with its event's JSON."""
        return [(seq, payload_of(frame)) for seq, frame in zip(self.seqs, self.frames, strict=True)]

    def latest(self) -> "Events":
        """What counts of a stream whose events replace one another: the latest of each sender."""
        senders = self._senders
        places = latest_places([sender_in(frame) for frame in self.frames] if senders is None else senders)
        return Events([self.seqs[place] for place in places], [self.frames[place] for place in places])
