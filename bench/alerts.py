"""What asking ten thousand alerts costs: events a second on one core, beside asking none and asking each.

    python -m bench.alerts [--alerts 10000] [--seconds 5]

Texts are a real day of chat (tests/search_indexer/day), said over and over. A twentieth of the alerts want a
word of the rarer half of those that were said, and not another one; a tenth are of a channel or sender; the
others want words that nobody says. No servers are needed.
"""

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import msgspec

from control.topic_tables.table import Row
from kernel.clock import SystemClock
from kernel.log.positions import Kind
from kernel.settings.reading import Settings
from search_indexer.alerts import Alert, AlertBook, Ready, matching, ready
from search_indexer.indexing.documents import Indexable, indexable
from search_indexer.searching.request import Search
from search_indexer.text.folding import Folding
from tests.accepted import chat

DAY: Final = Path(__file__).parent.parent / "tests" / "search_indexer" / "day" / "2016-12-19.txt"
FOLDING: Final = Folding()


def events() -> list[Indexable]:
    texts = [line.partition("> ")[2] for line in DAY.read_text().splitlines()]
    return [
        indexable(Kind.CHAT, chat("final", n, text, sender=f"fan-{n % 500}"), FOLDING)
        for n, text in enumerate(texts)
    ]


def alerts(count: int, said: Sequence[Indexable]) -> list[Ready]:
    seen = Counter(
        word for one in said for word in set(one.document.words.split()) if len(word) > 3 and word.isalpha()
    )
    rare = [word for word, _ in seen.most_common()][len(seen) // 2 :]
    chance = random.Random(7)
    made = []
    for number in range(count):
        if number % 10 == 0:
            search = Search(channels=(f"match-{number}",)) if number % 20 else Search(q=f"from:user-{number}")
        elif number % 20 == 1:
            search = Search(q=f"{chance.choice(rare)} -{chance.choice(rare)}")
        else:
            search = Search(q="".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8)))
        made.append(ready(Alert(id=f"a{number}", search=search), FOLDING))
    return made


def rate(said: Sequence[Indexable], seconds: float, ask: Callable[[Indexable], Any]) -> tuple[float, int]:
    """Events a second of processor time, and how many alerts were told of one in the mean, times 1,000."""
    for one in said:
        ask(one)
    told = number = 0
    begun = time.process_time()
    for one in cycle(said):
        told += len(ask(one))
        number += 1
        if number % 200 == 0 and time.process_time() - begun > seconds:
            break
    return number / (time.process_time() - begun), 1000 * told // number


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--alerts", type=int, default=10_000)
    arguments.add_argument("--seconds", type=float, default=5)
    given = arguments.parse_args()
    said = events()
    those = alerts(given.alerts, said)
    book = AlertBook(Settings(), SystemClock())
    for one in those:
        book.learn(Row(one.alert.id, {"arguments": msgspec.json.encode(one.alert).decode()}, 0, 0, 0))
    found, told = rate(said, given.seconds, book.matching)
    print(
        f"{given.alerts:,} alerts: {found:,.0f} events/s of a core; of 1,000 events {told} alerts are told,"
        f" {len(book.news)} were suspended"
    )
    few, _ = rate(said[:20], given.seconds, lambda one: matching(those, one, FOLDING))
    print(f"asking each of them: {few:,.0f} events/s")


if __name__ == "__main__":
    main()
