"""A command with a query among its arguments: `-penalty` is a word that is not wanted, and no option."""

import re
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

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


def complete_query(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What a query may go on as, for a shell's Tab key; nothing where no gateway answers."""
    import asyncio  # noqa: PLC0415 - only a shell that completes needs these
    from contextlib import suppress  # noqa: PLC0415

    from consumers.client.requests.search import Search  # noqa: PLC0415
    from kernel.errors import TouchlineError  # noqa: PLC0415
    from touchline import gateway_options  # noqa: PLC0415

    with suppress(TouchlineError):
        gateway = gateway_options.gateway_of(ctx.params.get("url"))
        search = Search(gateway, token=ctx.params.get("token"), user=ctx.params.get("user"))
        answer = asyncio.run(search.suggest(incomplete))
        return [
            CompletionItem(incomplete[: answer["start"]] + one["text"], help=one.get("says"))
            for one in answer["suggestions"]
        ]
    return []
