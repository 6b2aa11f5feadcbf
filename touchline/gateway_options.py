"""What commands that ask a gateway have in common: who asks, and which gateway."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def options(user: str = "user") -> Callable[[F], F]:
    """`--url`, `--token`, `--user` (as the parameter of this name) and `--json`."""

    def with_options(function: F) -> F:
        for option in (
            click.option("--json", "as_json", is_flag=True, help="Print JSON."),
            click.option("--user", user, help="Who you are, where there are no keys."),
            click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN."),
            click.option("--url", "gateway", help="Address of a gateway; default: the one of the settings."),
        ):
            function = option(function)
        return function

    return with_options


def gateway_of(given: str | None) -> str:
    """The gateway that is named, or the one of the settings."""
    if given is not None:
        return given
    from kernel.settings.reading import load_settings  # noqa: PLC0415 - only a command that asks needs it
    from touchline.addresses import gateway_url  # noqa: PLC0415

    return gateway_url(load_settings())
