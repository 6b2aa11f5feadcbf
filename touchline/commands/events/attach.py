"""`touchline attach`: upload a file, and post a message that has it."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from touchline.commands.events.publish import StreamName
from touchline.gateway_options import gateway_of
from touchline.terminal.printable import printable

if TYPE_CHECKING:
    from kernel.log.positions import Stream


@click.command("attach")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--stream", "-s", type=StreamName(), required=True, help="The chat, like chat:wc26-final.")
@click.option("--text", "-t", default="", help="What the message says; it may say nothing.")
@click.option("--type", "type_", help="The files' media type; by default it follows from the name.")
@click.option("--url", "gateway", help="Address of a gateway; default: the one of the settings.")
@click.option("--token", envvar="TOUCHLINE_TOKEN", help="Token to show; also TOUCHLINE_TOKEN.")
@click.option("--user", help="Who you are, where there are no keys.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    *,
    files: tuple[Path, ...],
    stream: "Stream",
    text: str,
    type_: str | None,
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    """Upload files and post a message that has them.

    \b
    Example: touchline attach goal.png --stream chat:wc26-final --text "Look!"
    """
    asyncio.run(_attach(files, stream, text, type_, gateway=gateway, token=token, user=user, as_json=as_json))


async def _attach(
    files: tuple[Path, ...],
    stream: "Stream",
    text: str,
    type_: str | None,
    *,
    gateway: str | None,
    token: str | None,
    user: str | None,
    as_json: bool,
) -> None:
    from consumers.client.requests.attachments import Attachments
    from touchline.terminal.progress import shown

    attachments = Attachments(gateway_of(gateway), token=token, user=user)
    ids = []
    for file in files:
        with shown(f"bytes of {printable(file.name)}") as tell:
            progress = partial(_tell, tell)
            ids.append(await attachments.upload(str(stream), file, type=type_, progress=progress))
    result = await attachments.publish(str(stream), ids, text=text)
    if as_json:
        click.echo(json.dumps({**result, "attachments": ids}))
    else:
        click.echo(f"Posted on {stream} with {', '.join(ids)}.")


def _tell(tell: Callable[[int], None], done: int, _: int) -> None:
    tell(done)
