"""A believable match, from a seed: what is told, what the crowd says to it, and how fans walk to their seats.

Pure: it says what is posted when, in seconds from kick-off; whoever plays it does the waiting.
"""

import math
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

from producers.posts import AnyPost, Broadcast, Chat, Location

HOME: Final = ("Riverside", ("Okafor", "Lindqvist", "Moreau", "Castellanos", "Petrov", "Haddad"))
AWAY: Final = ("Northgate", ("Almeida", "Brandt", "Sato", "Kowalski", "Diallo", "Fraser"))
#: Where the fans come from and sit: a stadium.
STADIUM: Final = (51.5560, -0.2796)
_NAMES: Final = (
    "ana",
    "ben",
    "chidi",
    "dora",
    "emre",
    "fatou",
    "goran",
    "hana",
    "ines",
    "jun",
    "kofi",
    "lena",
)
_CHEER: Final = ("GOAL!!!", "What a strike!", "Golazo ⚽", "I can't believe it", "YES YES YES", "Olé olé olé")
_GROAN: Final = ("Nooo", "Where was the defence?", "Offside, surely?", "We'll be back", "Unlucky")
_CARD: Final = ("Never a card!", "That had to be one", "Ref!!", "He's lucky it isn't red")
_IDLE: Final = (
    *(
        "Come on you blues",
        "Midfield is sleeping",
        "Great save",
        "Who is the number 8?",
        "Too many long balls",
    ),
    *("Possession means nothing", "Need a change at half time", "This keeper is unreal", "Nervous now"),
)
_AFTERGLOW_S: Final = 6.0


class Beat(NamedTuple):
    """What is posted, and when."""

    at_s: float
    post: AnyPost


def match(channel: str, *, seed: int, speed: float, chat_per_s: float, fans: int) -> Iterator[Beat]:
    """The beats of a match of 90 minutes, played `speed` times as fast, in the order of their time."""
    random = Random(seed)  # noqa: S311 - a play, not a secret
    minute_s = 60.0 / speed
    crowd = _Crowd(channel, random, chat_per_s, fans)
    score = [0, 0]
    yield Beat(0.0, _told(channel, "kick_off", 0, score, speed, text="We are under way."))
    for minute in range(1, 91):
        begins = (minute - 1) * minute_s
        happened = sorted(
            (random.uniform(begins, begins + minute_s), *what) for what in _minute(random, minute)
        )
        told = []
        for at, type_, side, player in happened:
            score[side] += type_ == "goal"
            told.append((at, type_, minute, side, player, list(score)))
        yield from crowd.between(begins, begins + minute_s, told)
        if minute == 45:
            yield Beat(begins + minute_s, _told(channel, "half_time", 45, score, speed))
            yield Beat(begins + minute_s, _told(channel, "second_half", 45, score, speed))
    yield Beat(90 * minute_s, _told(channel, "full_time", 90, score, speed, text="The whistle goes."))


def _minute(random: Random, minute: int) -> Iterator[tuple[str, int, str]]:
    """What happens in a minute: (type, side, player)."""
    for side, (_, players) in enumerate((HOME, AWAY)):
        chance = random.random()
        if chance < 0.016:
            yield "goal", side, random.choice(players)
        elif chance < 0.036:
            yield "yellow_card", side, random.choice(players)
        elif chance < 0.038:
            yield "red_card", side, random.choice(players)
        elif chance < 0.09:
            yield "shot", side, random.choice(players)
        elif minute > 55 and chance < 0.12:
            yield "substitution", side, random.choice(players)


def _told(channel: str, type_: str, minute: int, score: list[int], speed: float, **more: object) -> Broadcast:
    data = {
        "minute": minute,
        "title": f"{HOME[0]} v {AWAY[0]}",
        "home": {"name": HOME[0]},
        "away": {"name": AWAY[0]},
        "score": list(score),
        "speed": speed,
        **more,
    }
    return Broadcast(channel, type_, data)


class _Crowd:
    """The fans: they chat, more so after something has happened, and walk."""

    def __init__(self, channel: str, random: Random, chat_per_s: float, fans: int) -> None:
        self._channel, self._random = channel, random
        self._chat_per_s, self._fans = chat_per_s, max(1, fans)
        self._mood: tuple[str, ...] = _IDLE
        self._mood_until = 0.0

    def between(
        self, start: float, end: float, told: list[tuple[float, str, int, int, str, list[int]]]
    ) -> Iterator[Beat]:
        """The beats of a stretch of time, with what is told in it."""
        at, random = start, self._random
        pending = list(told)
        while True:
            rate = self._chat_per_s * (4.0 if at < self._mood_until else 1.0)
            at += random.expovariate(rate) if rate > 0 else math.inf
            while pending and pending[0][0] <= min(at, end):
                when, type_, minute, side, player, score = pending.pop(0)
                team = (HOME, AWAY)[side][0]
                self._feel(when, type_, side)
                yield Beat(
                    when,
                    _told(
                        self._channel, type_, minute, score, 60.0 / (end - start), team=team, player=player
                    ),
                )
            if at >= end:
                return
            yield Beat(at, self._say(at))
            yield Beat(at, self._walk(at))

    def _feel(self, when: float, type_: str, side: int) -> None:
        if type_ == "goal":
            self._mood, self._mood_until = (_CHEER if side == 0 else _GROAN), when + _AFTERGLOW_S
        elif "card" in type_:
            self._mood, self._mood_until = _CARD, when + _AFTERGLOW_S

    def _say(self, at: float) -> Chat:
        mood = self._mood if at < self._mood_until else _IDLE
        return Chat(
            self._channel, self._random.choice(mood), sender=self._name(self._random.randrange(self._fans))
        )

    def _walk(self, at: float) -> Location:
        """A fan on a circle of their own around the stadium, coming nearer."""
        fan = self._random.randrange(self._fans)
        angle = fan * 2.399963 + at / 40
        radius = 0.002 + 0.01 / (1 + at / 30) * (1 + fan % 5) / 5
        lat, lon = STADIUM[0] + radius * math.sin(angle), STADIUM[1] + 1.6 * radius * math.cos(angle)
        heading = (90 - math.degrees(angle + math.pi / 2)) % 360
        name = self._name(fan)
        return Location(
            self._channel,
            round(lat, 6),
            round(lon, 6),
            accuracy=8.0,
            heading=round(heading, 1),
            speed=1.4,
            sender=name,
        )

    def _name(self, fan: int) -> str:
        number, name = divmod(fan, len(_NAMES))
        return _NAMES[name] + (str(number) if number else "")
