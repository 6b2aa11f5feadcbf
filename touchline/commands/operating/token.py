"""`touchline token`: make a token for trying out."""

import json
from pathlib import Path

import click

from kernel.access.tokens import ACTIONS, EVERYTHING, MAX_PATTERN
from kernel.access.users import MAX_USER
from kernel.errors import TouchlineError
from kernel.settings.reading import Auth, load_settings


class Grant(click.ParamType):
    """`publish=chat:wc26-*`, or an action alone for all streams."""

    name = "grant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, tuple[str, ...]]:
        if isinstance(value, tuple):
            return value
        action, equals, patterns = str(value).partition("=")
        if action not in ACTIONS:
            self.fail(f"{action!r} is not one of {', '.join(ACTIONS)}.", param, ctx)
        each = tuple(patterns.split(",")) if equals else EVERYTHING
        if not all(1 <= len(pattern) <= MAX_PATTERN for pattern in each):
            self.fail(f"each pattern has 1 to {MAX_PATTERN} characters.", param, ctx)
        return action, each


@click.command("token")
@click.argument("user")
@click.option(
    "--can",
    type=Grant(),
    multiple=True,
    metavar="ACTION[=PATTERN,…]",
    help="What it allows; again for more. Default: subscribe, publish, history and search, everywhere.",
)
@click.option("--for", "for_s", type=click.IntRange(min=1), default=3600, show_default=True, help="Seconds.")
@click.option("--key", type=click.Path(exists=True, path_type=Path), help="PEM of an RSA or Ed25519 key.")
@click.option("--revoke", is_flag=True, help="Make none: end all that this user has been given so far.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    user: str,
    can: tuple[tuple[str, tuple[str, ...]], ...],
    for_s: int,
    key: Path | None,
    revoke: bool,
    as_json: bool,
) -> None:
    """Make a token for trying out, signed with TOUCHLINE_AUTH_SECRET or a private key; or revoke a user's.

    \b
    Example: touchline token ana --can subscribe=chat:wc26-* --can publish=chat:wc26-final
             touchline token ana --revoke
    """
    from kernel.access.tokens import StaticKeys, read_private, sign
    from kernel.clock import SystemClock

    if not 1 <= len(user) <= MAX_USER:
        raise click.BadParameter(f"it has 1 to {MAX_USER} characters.", param_hint="USER")
    if revoke:
        _revoke(user, SystemClock().now_ms() / 1000)
        click.echo(json.dumps({"revoked": user}) if as_json else f"Tokens of {user} count no more.")
        return
    secret = load_settings().auth.secret
    if key is None and not secret:
        raise TouchlineError(
            "bad_setting",
            "There is nothing to sign with.",
            hint="Set TOUCHLINE_AUTH_SECRET (32 bytes or more) for the edge, the gateway and here, or --key.",
        )
    if key is None:
        StaticKeys(Auth(secret=secret))  # one that no edge would start with is refused here, too
    grants: dict[str, tuple[str, ...]] = {}
    for action, patterns in can or [(action, EVERYTHING) for action in ACTIONS if action != "admin"]:
        grants[action] = (*grants.get(action, ()), *patterns)
    now_s = SystemClock().now_ms() / 1000
    token = sign(
        user,
        grants,
        expires_s=now_s + for_s,
        issued_s=now_s,
        key=secret if key is None else read_private(key),
    )
    click.echo(json.dumps({"token": token, "user": user, "can": grants}) if as_json else token)


def _revoke(user: str, before_s: float) -> None:
    from control.commands.sending import send_command
    from control.revocations import COMMAND, PREFIX
    from kernel.clock import SystemClock

    send_command(load_settings(), SystemClock(), f"{PREFIX}{user}", COMMAND, {"before": before_s})
