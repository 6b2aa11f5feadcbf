"""A command with a query among its arguments: `-penalty` is a word that is not wanted, and no option."""

import re
from typing import Any, Final

import click

#: Click takes nothing for an option that begins with this, and nobody can type it on a command line.
_MARK: Final = "\0"


class QueryCommand(click.Command):
    """Takes what begins with one `-` for a word of the query, but for the short options that it has."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        flags, valued = {"-h"}, set[str]()
        for option in self.params:
            if isinstance(option, click.Option):
                short = {name for name in option.opts if not name.startswith("--")}
                (flags if option.is_flag else valued).update(short)

        def is_option(word: str) -> bool:
            # `-n5` is one; `-nobody` is a word, as all values of short options are numbers.
            return word in flags or any(re.fullmatch(rf"{name}\d*", word) for name in valued)

        marked = [
            f"{_MARK}{word}" if re.match("-[^-]", word) and not is_option(word) else word
            for word in args[:end]
        ]
        rest = super().parse_args(ctx, [*marked, *args[end:]])
        ctx.params = {name: _unmarked(value) for name, value in ctx.params.items()}
        return rest


def _unmarked(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_unmarked(one) for one in value)
    return value.removeprefix(_MARK) if isinstance(value, str) else value
