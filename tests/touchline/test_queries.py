"""A word that is not wanted may stand first: `touchline search -penalty`."""

import click
import pytest
from click.testing import CliRunner

from touchline.commands.events import alert, search
from touchline.queries import QueryCommand


@click.command(cls=QueryCommand)
@click.argument("query", default="")
@click.option("--near")
@click.option("--limit", "-n")
@click.option("--json", "as_json", is_flag=True)
def asked(*, query: str, near: str | None, limit: str | None, as_json: bool) -> None:
    click.echo(repr((query, near, limit, as_json)))


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        (["-penalty"], ("-penalty", None, None, False)),
        (["-nobody", "-n", "5"], ("-nobody", None, "5", False)),
        (["-n5", "-penalty", "--json"], ("-penalty", None, "5", True)),
        (['-"half time" goal'], ('-"half time" goal', None, None, False)),
        (["--near", "-33.8,151.2", "goal"], ("goal", "-33.8,151.2", None, False)),
        (["--limit=3", "--", "-penalty"], ("-penalty", None, "3", False)),
        ([], ("", None, None, False)),
    ],
)
def test_a_negation_is_no_option(arguments: list[str], read: tuple[object, ...]) -> None:
    result = CliRunner().invoke(asked, arguments)
    assert (result.exit_code, result.output) == (0, f"{read!r}\n")


def test_what_is_no_option_of_two_dashes_is_still_refused() -> None:
    assert CliRunner().invoke(asked, ["--penalty"]).exit_code == 2
    assert CliRunner().invoke(asked, ["-h"]).exit_code == 2  # not an option of this one


@pytest.mark.parametrize("command", [search.command, alert.command.commands["set"]], ids=["search", "alert"])
def test_the_commands_that_take_queries_read_them_so(command: click.Command) -> None:
    named = ["goals"] if command is not search.command else []
    with command.make_context(command.name, [*named, "-penalty", "--channel", "final"]) as context:
        assert context.params["query"] == "-penalty"
