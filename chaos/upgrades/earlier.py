"""A checkout of an earlier version, asked what it has; and which parts of a run there can be with it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from chaos.faults.links import ROLES
from kernel.errors import TouchlineError
from kernel.settings.reading import PREFIX

#: Run in the checkout: prints its settings' names as they are in the environment, and its commands; then its
#: topics, as its own command line shows them.
_ASKED: Final = (
    "import json\n"
    "try: from kernel.settings.reading import PREFIX, SECTIONS\n"
    "except ImportError: from kernel.settings import PREFIX, SECTIONS\n"  # as it was called before
    "from touchline.cli import COMMANDS, run\n"
    "names = [f'{PREFIX}{s}_{f}'.upper() for s, kind in SECTIONS.items() for f in kind.__struct_fields__]\n"
    "print(json.dumps({'settings': names, 'commands': list(COMMANDS)}), flush=True)\n"
    "run(['topics', 'show', '--json'])\n"
)
#: By part, the topics without which there is nothing to try; a version has what it has topics for.
NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "channels": ("channels",),
    "crowd": ("reactions", "totals", "voices"),
    "following": ("follows", "webhooks", "deliveries"),
    "rooms": ("rooms", "user-rooms", "places", "tallies"),
    "walkers": ("friends", "sharing", "fences", "inside"),
}
PARTS: Final = tuple(NEEDS)


class Earlier(NamedTuple):
    """A version before this one."""

    checkout: Path
    #: Names of settings as they are in the environment: it refuses others.
    settings: frozenset[str] = frozenset()
    #: What its command line knows.
    commands: frozenset[str] = frozenset()
    #: Without the prefix.
    topics: frozenset[str] = frozenset()

    @property
    def python(self) -> str:
        """What runs it: its own environment where it is set up, else this one with its code."""
        own = self.checkout / ".venv" / "bin" / "python"
        return str(own) if own.exists() else sys.executable

    @property
    def lacks(self) -> frozenset[str]:
        """The roles of a cluster that it does not have."""
        return frozenset(role for role in ROLES if role.partition("-")[0] not in self.commands)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """For a process of it: of what is set, what it knows."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        known = {name: value for name, value in given.items() if name in self.settings}
        return {**kept, **known, "PYTHONPATH": str(self.checkout)}


def ask(checkout: Path) -> Earlier:
    """What a checkout has, by its own code. Raises `bad_request` where it is none."""
    earlier = Earlier(checkout.absolute())
    if not (earlier.checkout / "touchline" / "cli.py").is_file():  # else this version would answer
        raise TouchlineError("bad_request", f"{checkout} is no checkout of Touchline.")
    asked = subprocess.run(
        (earlier.python, "-P", "-c", _ASKED),
        check=False, text=True, capture_output=True, cwd="/", env=earlier.environment({}),
    )  # fmt: skip
    if asked.returncode != 0:
        said = asked.stderr.strip().rpartition("\n")[2]
        raise TouchlineError("bad_request", f"What {checkout} has cannot be asked: {said}")
    has, topics = map(json.loads, asked.stdout.splitlines())
    return earlier._replace(
        settings=frozenset(has["settings"]),
        commands=frozenset(has["commands"]),
        topics=frozenset(topic["name"].partition(".")[2] for topic in topics),
    )


class Chosen(NamedTuple):
    """The parts of a run."""

    parts: Sequence[str]
    #: Part -> why it is left out.
    left_out: Mapping[str, str] = {}


def choose(earlier: Earlier | None, parts: Sequence[str] = PARTS) -> Chosen:
    """Of these parts those that the version before has as well: a run begins with that one's roles alone."""
    if earlier is None:
        return Chosen(parts)
    missing = {part: [name for name in NEEDS[part] if name not in earlier.topics] for part in parts}
    return Chosen(
        tuple(part for part in parts if not missing[part]),
        {
            part: f"the version before has no topic for {', '.join(names)}"
            for part, names in missing.items()
            if names
        },
    )
