"""What a siege found, attackers by attackers, and whether it held."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """What attackers may do to others. Canaries are compared with themselves in peace."""

    #: Events come at most so much later, at p99; not counting by how much the machine itself is later.
    delay_ms: float = 1000.0
    #: Requests take at most so much longer, at p99; likewise.
    request_ms: float = 100.0
    #: No role's /healthz may take longer, by which the machine is later not counted: its loop stood still.
    answer_ms: float = 1000.0
    #: So often a role may say that its loop stood still for more than 50 ms of its own processor time.
    stalls: int = 0
    #: A role may grow by so much.
    grows_mb: float = 400.0
    #: So many acts of an attacker count as an attack, where it did not get through its steps once.
    acts: int = 50


class Phase(msgspec.Struct, kw_only=True):
    """Some seconds with these attackers; without any: peace."""

    attackers: Sequence[str] = ()
    seconds: float = 0.0
    delay_p99_ms: float | None = None
    request_p99_ms: Mapping[str, float] = {}
    #: How long processes took, at p99, that pass a word to and fro and touch nothing of the pipeline.
    machine_ms: float = 0.0
    requests: int = 0
    failed: Mapping[str, int] = {}
    #: Role -> its slowest answer, the most that it held, how often it ended, and its stalls.
    slowest_ms: Mapping[str, float] = {}
    megabytes: Mapping[str, float] = {}
    deaths: Mapping[str, int] = {}
    stalls: Mapping[str, float] = {}
    #: Name -> cores that it used; role -> the share of the time that its loop was ready and had no core.
    used: Mapping[str, float] = {}
    waited: Mapping[str, float] = {}
    #: How many times as long the pipeline's work took for lack of cores, servers and roles together.
    stretched: float = 1.0
    #: Attacker -> what was answered, and how often.
    answers: Mapping[str, Mapping[str, int]] = {}
    #: Of these attackers none may be answered as if they might what they ask for.
    refused: Sequence[str] = ()


class Report(msgspec.Struct, kw_only=True):
    """One siege."""

    peace: Phase
    phases: list[Phase] = []
    #: Canaries' events that were taken, and that somebody who watched never saw.
    unseen: Sequence[str] = ()
    #: Roles that were not ready when all was over.
    away: Sequence[str] = ()
    bounds: Bounds = Bounds()
    #: Whether faults were mixed in: whoever is struck is slow or away, so what is left at the end counts.
    struck: bool = False

    @property
    def findings(self) -> list[str]:
        """What broke, a sentence each."""
        found = [] if self.struck else [one for phase in self.phases for one in self._broken(phase)]
        if self.unseen:
            first = "; ".join(self.unseen[:_NAMED])
            found.append(
                f"{len(self.unseen)} events that were taken never reached somebody who watched: {first}"
            )
        found += [f"{role} is not ready after it was over" for role in self.away]
        return found

    def lines(self) -> list[str]:
        """For people."""
        told = [f"in peace: {figures(self.peace)}"]
        for phase in self.phases:
            told.append(f"{', '.join(phase.attackers)} ({phase.seconds:.0f} s): {figures(phase)}")
            told += [] if self.struck else [f"  BROKE  {sentence}" for sentence in self._broken(phase)]
        return told

    def _broken(self, phase: Phase) -> list[str]:
        return broken(phase, self.peace, self.bounds)


_LEAST: Final = 20
_NAMED: Final = 5
_A_FEW: Final = 8
_WORTH_SAYING: Final = 0.05


def p99(values: Sequence[float]) -> float | None:
    """None of nothing. Of fewer than a hundred the slowest one is left out: it is no p99."""
    return sorted(values)[int((len(values) - 1) * 0.99)] if values else None


def figures(phase: Phase) -> str:
    """The canaries and the roles in a line."""
    delay = "no event" if phase.delay_p99_ms is None else f"events p99 {phase.delay_p99_ms:.0f} ms"
    asked = ", ".join(f"{what} {ms:.0f}" for what, ms in phase.request_p99_ms.items())
    slow = max(phase.slowest_ms.items(), key=lambda one: one[1], default=("nobody", 0.0))
    large = max(phase.megabytes.items(), key=lambda one: one[1], default=("nobody", 0.0))
    cores = ", ".join(f"{name} {n:.2f}" for name, n in phase.used.items() if n >= _WORTH_SAYING)
    waited = max(phase.waited.items(), key=lambda one: one[1], default=("nobody", 0.0))
    stalled = "".join(f", {role} stalled {n:.0f}x" for role, n in phase.stalls.items() if n)
    return (
        f"{delay}; requests p99 ms: {asked}; machine {phase.machine_ms:.0f}, {phase.stretched:.1f}x;"
        f" slowest /healthz {slow[0]} {slow[1]:.0f} ms; largest {large[0]} {large[1]:.0f} MB{stalled};"
        f" cores: {cores}; waited for one: {waited[0]} {waited[1]:.0%}"
    )


def _let_in(phase: Phase) -> list[str]:
    """Who was answered as if they might what they may not."""
    given = {
        name: {said: n for said, n in phase.answers.get(name, {}).items() if said.startswith("2")}
        for name in phase.refused
    }
    return [f"{name} was given what it may not have: {what}" for name, what in given.items() if what]


def _of_straw(phase: Phase, bounds: Bounds) -> list[str]:
    """Who had no chance to attack: of them nothing is shown. Where all come at once each need only come."""
    least = bounds.acts if len(phase.attackers) <= _A_FEW else min(1, bounds.acts)
    found = []
    for name in phase.attackers:
        answers = phase.answers.get(name, {})
        acts = sum(n for said, n in answers.items() if said != "turns")
        if acts < least and not answers.get("turns"):
            found.append(f"{name} acted {acts} times only: nothing is shown of it")
    return found


def _allowed(in_peace_ms: float, more_ms: float, phase: Phase, peace: Phase) -> float:
    """How long something may take that took so long in peace, and may take so much longer where each role
    has cores of its own. Here it may be later by as much as those are who do not use the pipeline, or as many
    times as long; or everything takes as many times as long as work waits for cores, in peace, too."""
    later = _later(phase, peace)
    times = phase.machine_ms / peace.machine_ms if peace.machine_ms else 1.0
    alone_ms = in_peace_ms / peace.stretched
    return max(
        *(in_peace_ms + later + more_ms, in_peace_ms * times + more_ms),
        (alone_ms + more_ms) * phase.stretched,
    )


def _later(phase: Phase, peace: Phase) -> float:
    """By how much those are later than in peace who do not use the pipeline."""
    return max(0.0, phase.machine_ms - peace.machine_ms)


def broken(phase: Phase, peace: Phase, bounds: Bounds) -> list[str]:
    """What these attackers did to others that nobody may."""
    found = [f"{role} ended {n} times" for role, n in phase.deaths.items()]
    if phase.delay_p99_ms is None:
        found.append("no event reached anybody")
    elif phase.delay_p99_ms > _allowed(peace.delay_p99_ms or 0.0, bounds.delay_ms, phase, peace):
        found.append(f"events came {phase.delay_p99_ms:.0f} ms after they were posted, at p99")
    for what, ms in phase.request_p99_ms.items():
        if ms > _allowed(peace.request_p99_ms.get(what, 0.0), bounds.request_ms, phase, peace):
            found.append(f"{what} took {ms:.0f} ms, at p99")
    found += _let_in(phase) + _of_straw(phase, bounds)
    refused = sum(phase.failed.values())
    if refused > max(1, phase.requests // _LEAST):
        found.append(f"{refused} of {phase.requests} requests of ordinary users failed: {dict(phase.failed)}")
    for role, ms in phase.slowest_ms.items():
        if ms > bounds.answer_ms + _later(phase, peace):
            found.append(f"the loop of {role} stood still: /healthz took {ms:.0f} ms")
    for role, number in phase.stalls.items():
        if number > bounds.stalls:
            found.append(f"the loop of {role} stood still for more than 50 ms {number:.0f} times")
    for role, size in phase.megabytes.items():
        if size > peace.megabytes.get(role, size) + bounds.grows_mb:
            found.append(f"{role} grew from {peace.megabytes[role]:.0f} to {size:.0f} MB")
    return found
