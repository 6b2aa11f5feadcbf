"""Believable rooms, from a seed: who is in them, what they say to each other, and who comes and goes. Pure.

It says what is done when, in seconds from the start; whoever plays it does the waiting.
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Final, Literal, NamedTuple

#: How large rooms are: the share of all, the smallest and the largest. Most are of two.
_SIZES: Final = ((0.45, 2, 2), (0.35, 3, 8), (0.15, 9, 30), (0.05, 31, 100))
_NAMES: Final = (
    *("ana", "ben", "chidi", "dora", "emre", "fatou", "goran", "hana", "ines", "jun", "kofi", "lena"),
    *("mateo", "nia", "oskar", "pilar", "quinn", "rosa", "sami", "tess", "umar", "vera", "wen", "yara"),
)
_TITLES: Final = (
    *("Family", "Study group", "Five-a-side", "Book club", "Flat 3", "Trip to Lisbon", "Choir", "Neighbours"),
    *("Work lunch", "Climbing", "Quiz night", "Parents of 4b", "Band practice", "Garden", "Old friends"),
)
_OPEN: Final = (
    *("Anyone around?", "Are we still on for tonight?", "Who has the tickets?", "Did you see that?"),
    *("I am running late", "What time tomorrow?", "Can somebody bring the speaker?", "Guess who I met"),
)
_ANSWER: Final = (
    *("Yes!", "I think so", "No idea", "Me too", "Half past seven", "On my way", "Ha, of course"),
    *("Let me check", "Not me this time", "👍", "Same place as always", "Could be", "I will ask"),
)
_CORRECTED: Final = ("Half past eight, I mean", "Sorry, wrong room", "Make that two", "Tomorrow, not tonight")
#: Rooms in which people are talking at the moment.
_LIVELY: Final = 6
#: Messages of a room that may still be answered or changed.
_RECENT: Final = 12

What = Literal["say", "edit", "retract", "add", "remove"]


class Planned(NamedTuple):
    """A room as it begins. Its maker is one of the members."""

    room: str
    name: str
    maker: str
    members: tuple[str, ...]
    history: Literal["all", "joined"]
    receipts: bool


class Doing(NamedTuple):
    """Something that somebody does in a room."""

    at_s: float
    room: str
    what: What
    by: str
    text: str = ""
    #: Of a message: which one of its room it is, from 1 on.
    number: int = 0
    #: Which message it answers, changes or takes back; 0: none.
    about: int = 0
    #: Whom it adds or removes.
    users: tuple[str, ...] = ()


def people(number: int) -> list[str]:
    """The names of so many."""
    rounds = range(-(-number // len(_NAMES)))
    return [name + (str(n) if n else "") for n in rounds for name in _NAMES][:number]


def rooms(number: int, users: Sequence[str], *, seed: int, prefix: str = "sim") -> list[Planned]:
    """So many rooms of these people."""
    random = Random(f"rooms-{seed}")  # noqa: S311 - a play, not a secret
    found = []
    for n in range(number):
        (_, least, most), *_ = random.choices(_SIZES, [share for share, *_ in _SIZES])
        size = min(len(users), random.randint(least, most))
        members = tuple(random.sample(users, size))
        title = " and ".join(members) if size == 2 else random.choice(_TITLES)
        history: Literal["all", "joined"] = "joined" if random.random() < 0.5 else "all"
        found.append(
            Planned(f"{prefix}-{n}", title, members[0], members, history, receipts=random.random() < 0.7)
        )
    return found


class _Room:
    """A room under way."""

    def __init__(self, planned: Planned) -> None:
        self.room, self.maker = planned.room, planned.maker
        self.members = list(planned.members)
        self.said = 0
        #: The latest messages that stand: number and author.
        self.recent: list[tuple[int, str]] = []
        self.last = ""


def talk(planned: Sequence[Planned], users: Sequence[str], *, per_s: float, seed: int) -> Iterator[Doing]:
    """What is done in these rooms, so often a second; without end."""
    random = Random(f"talk-{seed}")  # noqa: S311
    all_ = [_Room(one) for one in planned]
    # A few rooms are much busier than most.
    weights = [1 / (1 + n) ** 0.8 for n in range(len(all_))]
    lively: list[_Room] = []
    at_s = 0.0
    while True:
        at_s += random.expovariate(per_s)
        if not lively or random.random() < 0.15:
            lively = [*lively[-_LIVELY + 1 :], *random.choices(all_, weights)]
        yield _one(random, random.choice(lively), users, at_s)


def _one(random: Random, room: _Room, users: Sequence[str], at_s: float) -> Doing:
    chance = random.random()
    if chance < 0.03 and len(users) > 2:
        if (changed := _membership(random, room, users, at_s)) is not None:
            return changed
    elif chance < 0.10 and room.recent:
        number, author = random.choice(room.recent)
        if author in room.members:
            if chance < 0.06:
                room.recent.remove((number, author))
                return Doing(at_s, room.room, "retract", author, about=number)
            return Doing(at_s, room.room, "edit", author, random.choice(_CORRECTED), about=number)
    return _say(random, room, at_s)


def _membership(random: Random, room: _Room, users: Sequence[str], at_s: float) -> Doing | None:
    others = [user for user in users if user not in room.members]
    guests = [user for user in room.members if user != room.maker]
    if others and len(room.members) < 100 and (random.random() < 0.5 or len(guests) < 2):
        came = tuple(random.sample(others, min(len(others), random.randint(1, 2))))
        room.members += came
        return Doing(at_s, room.room, "add", room.maker, users=came)
    if len(guests) < 2:
        return None
    gone = random.choice(guests)
    room.members.remove(gone)
    # A third leaves of their own accord.
    return Doing(at_s, room.room, "remove", gone if random.random() < 0.33 else room.maker, users=(gone,))


def _say(random: Random, room: _Room, at_s: float) -> Doing:
    by = random.choice([user for user in room.members if user != room.last] or room.members)
    opens = not room.recent or room.last == "" or random.random() < 0.2
    text = random.choice(_OPEN if opens else _ANSWER)
    if random.random() < 0.12:
        text = f"@{random.choice(room.members)} {text}"
    about = random.choice(room.recent)[0] if room.recent and not opens and random.random() < 0.15 else 0
    room.said, room.last = room.said + 1, by
    room.recent = [*room.recent[-_RECENT + 1 :], (room.said, by)]
    return Doing(at_s, room.room, "say", by, text, number=room.said, about=about)
