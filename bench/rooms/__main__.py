"""What a messenger costs: `python -m bench.rooms [PART…]`; all of them without any, each under three minutes.

Each part but `folding` has roles and topics of its own, on the Kafka of the settings or one of its own.
"""

from collections.abc import Callable
from typing import Final

import click

from bench.rooms import back, folding, looking, million, searching, traffic

PARTS: Final[dict[str, Callable[[], None]]] = {
    "folding": folding.measure,
    "traffic": traffic.measure,
    "looking": looking.measure,
    "back": back.measure,
    "million": million.measure,
    "search": searching.measure,
}
#: The same, smaller.
QUICK: Final[dict[str, Callable[[], None]]] = {
    **PARTS,
    "traffic": lambda: traffic.measure(500, 6, 2000),
    "back": lambda: back.measure(1000),
    "million": lambda: million.measure(100_000),
    "search": lambda: searching.measure(40_000),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--quick", is_flag=True, help="With fewer rooms, people and messages.")
def command(parts: tuple[str, ...], *, quick: bool) -> None:
    """Measure these parts; without any, all."""
    for name in parts or PARTS:
        click.echo(f"== {name}")
        (QUICK if quick else PARTS)[name]()


if __name__ == "__main__":
    command()
