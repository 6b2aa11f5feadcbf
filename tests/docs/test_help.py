"""`--help` of every command says what it does, and shows how it is called, in a way that works."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from touchline.cli import COMMANDS, cli


def every(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """All commands, with those of groups."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from every(command, (*path, name))


ALL = dict(every(cli))
each = pytest.mark.parametrize("path", ALL, ids=" ".join)


def shown(path: tuple[str, ...]) -> str:
    """The help, as one line."""
    result = CliRunner().invoke(cli, [*path, "--help"], terminal_width=10_000)
    assert result.exit_code == 0
    return result.output


def examples(path: tuple[str, ...]) -> list[list[str]]:
    """The calls of `touchline` that the help shows, as words; those behind a pipe are calls of their own."""
    lines = shown(path).partition("Example:")[2].partition("Options:")[0].splitlines()
    calls = [call for line in lines for call in re.split(r"[|>]", line) if "touchline" in shlex.split(call)]
    return [(words := shlex.split(call))[words.index("touchline") + 1 :] for call in calls]


@each
def test_a_command_says_what_it_does_and_shows_how_it_is_called(path: tuple[str, ...]) -> None:
    about = shown(path).partition("\n\n")[2].partition("Example:")[0].split()
    assert len(about) >= 2, "there is no sentence"
    assert [call for call in examples(path) if tuple(call[: len(path)]) == path], "there is no example"


@each
def test_an_example_names_commands_and_options_that_there_are(path: tuple[str, ...]) -> None:
    for call in examples(path):
        longest = max(path for path in ALL if path == tuple(call[: len(path)]))
        command, rest = ALL[longest], call[len(longest) :]
        assert not isinstance(command, click.Group) or command.invoke_without_command, call
        known = {name for parameter in command.params for name in parameter.opts + parameter.secondary_opts}
        given = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
        assert given <= known | {"--help"}, call


@each
def test_every_option_says_what_it_is_for(path: tuple[str, ...]) -> None:
    silent = [p.opts for p in ALL[path].params if isinstance(p, click.Option) and not (p.help or p.hidden)]
    assert silent == []


def test_the_list_of_commands_has_a_line_for_each_and_begins_with_an_example() -> None:
    text = shown(())
    for name, (_, line) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(line)}$", text, re.MULTILINE), name
    assert "touchline up" in text.partition("Commands:")[0]
