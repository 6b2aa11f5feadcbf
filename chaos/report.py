"""What a run found: figures, and for each invariant whether it held."""

from collections.abc import Mapping, Sequence

import msgspec

from chaos.faults.schedule import Blow


class Walked(msgspec.Struct, frozen=True):
    """How much was judged; nothing of it was judged in a run of nothing."""

    positions: int = 0
    pushes: int = 0
    #: Times in which a friend was near a viewer who was connected, and nothing changed for long enough.
    near: int = 0
    crossings: int = 0
    late_s: float = 0.0


class Report(msgspec.Struct, kw_only=True):
    """One run. It passed if no invariant has findings."""

    seed: int
    seconds: float
    blows: Sequence[Blow]
    #: Parts that did not take part, and why.
    left_out: Mapping[str, str] = {}
    posted: int = 0
    acknowledged: int = 0
    #: Changes of channels' settings that were confirmed.
    set: int = 0
    not_delivered: Mapping[str, int] = {}
    #: Of rooms: what was said and confirmed, changes of members, devices, and what these were shown.
    said: int = 0
    members_changed: int = 0
    devices: int = 0
    shown_in_rooms: int = 0
    viewers: int = 0
    shown: int = 0
    gaps_told: int = 0
    #: Pages of history that were given while things broke, and requests that were not answered then.
    pages: int = 0
    unanswered: int = 0
    walked: Walked = Walked()
    ended_by_themselves: Mapping[str, int] = {}
    #: From the end of the last fault until everything worked again and every viewer was at the head.
    recovered_s: float | None = None
    findings: dict[str, list[str]] = {}

    @property
    def passed(self) -> bool:
        """Whether every invariant held."""
        return not any(self.findings.values())

    def lines(self) -> list[str]:
        """For people."""
        recovered = "not" if self.recovered_s is None else f"{self.recovered_s:.1f} s after the last fault"
        failed = ", ".join(f"{n} {code}" for code, n in self.not_delivered.items()) or "none"
        ended = (
            ", ".join(f"{name} {number}x" for name, number in self.ended_by_themselves.items()) or "nobody"
        )
        walked = self.walked
        told = [
            f"seed {self.seed}: {len(self.blows)} faults in {self.seconds:.0f} s",
            *(f"  left out: {part}, because {why}" for part, why in self.left_out.items()),
            f"  posted {self.posted:,}, acknowledged {self.acknowledged:,}; not delivered: {failed}",
            f"  {self.set:,} changes of settings were confirmed",
            f"  in rooms {self.said:,} messages and {self.members_changed:,} changes of members were"
            f" confirmed; {self.devices} devices were shown {self.shown_in_rooms:,} events",
            f"  {self.viewers} viewers were shown {self.shown:,} events, and told {self.gaps_told} gaps",
            f"  {self.pages:,} pages of history were read, {self.unanswered:,} requests were not answered",
            f"  walkers were at {walked.positions:,} places; judged were {walked.pushes:,} pushes,"
            f" {walked.near:,} times of a friend near, {walked.crossings:,} crossings;"
            f" at most {walked.late_s:g} s late",
            f"  ended without being struck: {ended}",
            f"  whole again: {recovered}",
        ]
        for name, found in self.findings.items():
            told.append(f"  {'FAILED' if found else 'held  '}  {name}")
            told += [f"            {sentence}" for sentence in found]
        return told
