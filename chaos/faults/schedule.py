"""What is done to whom, and when: a schedule is data, made from a seed, so that any run can be had again."""

import random
from collections.abc import Collection, Sequence
from typing import Final, Literal, get_args

import msgspec

from chaos.faults.links import BROKERS, LINKS, ROLES, TO, TO_BROKER, TO_ELASTICSEARCH, TO_KAFKA, whose
from kernel.errors import TouchlineError

Fault = Literal["kill", "freeze", "restart", "upgrade", "cut", "half_open", "slow", "disk_full", "clock"]
FAULTS: Final[tuple[Fault, ...]] = get_args(Fault)

#: What an upgrade restarts, one after the other; and what one to another version has to, in this order: who
#: reads comes before who writes, since an earlier version does not know what a later one's workers write.
UPGRADES: Final = ("stream", "edge")
TO_UPGRADE: Final = ("edge", "gateway", "index", "stream")
_PROCESSES: Final = (*ROLES, *BROKERS, "elasticsearch")
_TARGETS: Final[dict[Fault, Sequence[str]]] = {
    "kill": _PROCESSES,
    "freeze": _PROCESSES,
    "restart": _PROCESSES,
    "upgrade": TO_UPGRADE,
    "cut": LINKS,
    "half_open": LINKS,
    "slow": LINKS,
    "disk_full": ("elasticsearch",),
    "clock": ROLES,
}
#: Of the links those that are everybody's are as likely as those that are one role's, which are many more.
_LINKS: Final = (TO, TO, TO, TO_KAFKA, TO_BROKER, TO_ELASTICSEARCH)
_WEIGHTS: Final[dict[Fault, int]] = {
    "kill": 8,
    "freeze": 3,
    "restart": 4,
    "upgrade": 1,
    "cut": 3,
    "half_open": 2,
    "slow": 2,
    "disk_full": 1,
    "clock": 2,
}
_LONGEST_S: Final = 30.0


class Blow(msgspec.Struct, frozen=True):
    """One fault: it begins at `at_s` and is over `lasts_s` later. `amount`: ms, or seconds of clock."""

    at_s: float
    fault: Fault
    target: str
    lasts_s: float = 0.0
    amount: float = 0.0

    def __str__(self) -> str:
        lasting = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        unit = {"slow": " ms", "clock": " s"}.get(self.fault, "")
        by = f" by {self.amount:+.0f}{unit}" if self.amount else ""
        return f"{self.at_s:7.1f} s  {self.fault:9} {self.target}{by}{lasting}"


def plan(
    seed: int, seconds: float, *, every_s: float = 4.0, faults: Collection[Fault] = FAULTS
) -> list[Blow]:
    """So many seconds of faults, of these sorts. Any of them may meet, but no two brokers are away at once:
    then nothing is written, which is what min.insync.replicas=2 is for, and little would be learnt.
    """
    chance = random.Random(seed)  # noqa: S311 - to be had again
    weights = [weight if fault in faults else 0 for fault, weight in _WEIGHTS.items()]
    kinds = list(_WEIGHTS)
    blows: list[Blow] = []
    at = chance.uniform(0.5, every_s)
    while at < seconds:
        fault = chance.choices(kinds, weights)[0]
        target = chance.choice(_choices(fault, chance))
        # Short faults are the common ones; a long one outlasts sessions and time-outs.
        lasts = min(_LONGEST_S, chance.expovariate(1 / 6), max(seconds - at, 1.0))
        blow = Blow(
            round(at, 2), fault, target, round(lasts, 2) if _lasts(fault) else 0.0, _amount(fault, chance)
        )
        if not any(_collide(blow, other) for other in blows):
            blows.append(blow)
        at += chance.expovariate(1 / every_s)
    return blows


def plan_upgrade(seed: int, seconds: float) -> list[Blow]:
    """Faults, and among them each kind of role, one after the other, begins to run another version."""
    every = seconds / (len(TO_UPGRADE) + 1)
    moves = [Blow(round(every * n, 2), "upgrade", what) for n, what in enumerate(TO_UPGRADE, 1)]
    # A role that is away while its kind is upgraded would be struck twice: such faults are left out.
    apart = [
        b for b in plan(seed, seconds) if b.fault != "upgrade" and not any(_collide(b, m) for m in moves)
    ]
    return sorted([*apart, *moves], key=lambda blow: blow.at_s)


def read(text: str) -> list[Blow]:
    """A schedule in JSON. Raises `bad_request`."""
    try:
        blows = msgspec.json.decode(text, type=list[Blow])
    except msgspec.MsgspecError as error:
        raise TouchlineError("bad_request", f"This is no schedule of faults: {error}.") from None
    for blow in blows:
        if blow.target not in _TARGETS[blow.fault]:
            raise TouchlineError("bad_request", f"{blow.fault} has no target {blow.target!r}.")
    return sorted(blows, key=lambda blow: blow.at_s)


def write(blows: Sequence[Blow]) -> str:
    """The schedule as JSON, a blow a line."""
    return "[\n" + ",\n".join(msgspec.json.encode(blow).decode() for blow in blows) + "\n]\n"


def _choices(fault: Fault, chance: random.Random) -> Sequence[str]:
    if _TARGETS[fault] is LINKS:
        return chance.choice(_LINKS)
    return UPGRADES if fault == "upgrade" else _TARGETS[fault]


def _lasts(fault: Fault) -> bool:
    return fault not in ("restart", "upgrade")


def _amount(fault: Fault, chance: random.Random) -> float:
    if fault == "slow":
        return float(chance.choice((20, 100, 400)))
    return float(chance.choice((-3600, -5, 5, 3600))) if fault == "clock" else 0.0


def _collide(one: Blow, other: Blow) -> bool:
    #: A killed broker needs a few seconds to come back after its fault is over; so does everything else.
    margin = 8.0
    apart = one.at_s > other.at_s + other.lasts_s + margin or other.at_s > one.at_s + one.lasts_s + margin
    if apart:
        return False
    ours, theirs = whose(one.target), whose(other.target)
    same = ours == theirs or ours.startswith(f"{theirs}-") or theirs.startswith(f"{ours}-")
    return same or (ours in BROKERS and theirs in BROKERS)
