"""The command line: a table of commands, each loaded when it is used, and one way of reporting errors."""

import importlib
import json
import os
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import click

from kernel import extras
from kernel.errors import TouchlineError
from kernel.version import VERSION
from touchline.terminal.printable import printable

#: Command -> its module in touchline.commands and its line in `touchline --help`, in the order shown.
COMMANDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "up": ("roles.up", "Start the whole pipeline on this machine."),
        "down": ("roles.down", "Stop what `up` started."),
        "status": ("roles.status", "Show a line for each process."),
        "doctor": ("roles.doctor", "Say what this machine lacks, and how to get it."),
        "publish": ("events.publish", "Post events to a stream."),
        "schedule": ("events.schedule", "Have events posted at their time."),
        "attach": ("events.attach", "Upload files, and post a message that has them."),
        "room": ("people.room", "Make and change rooms: group chats."),
        "friend": ("people.friend", "Friends, and who may see where you are."),
        "nearby": ("people.nearby", "Show which friends are near, and whatever changes."),
        "fence": ("people.fence", "Have places watch who comes and goes."),
        "follow": ("people.follow", "Follow channels, and see which you follow."),
        "feed": ("people.feed", "Show what the channels post that you follow."),
        "react": ("people.react", "Applaud, react to events, and show what it comes to."),
        "poll": ("people.poll", "Ask a crowd, and vote."),
        "inbox": ("people.inbox", "Show what you have not read in your rooms."),
        "moderate": ("people.moderate", "Mute and ban users; see what was reported."),
        "user": ("people.user", "A user's devices, connections and data."),
        "replay": ("events.replay", "Post the events of a file again, at their own pace."),
        "simulate": ("events.simulate", "Play a match: score, chat and fans who move."),
        "rejected": ("operating.rejected", "Show what was refused and why; post it again."),
        "watch": ("events.watch", "Show the events of streams as they happen."),
        "history": ("events.history", "Show a stream's past, or write all of it to a file."),
        "search": ("events.search", "Find events by what they say."),
        "alert": ("events.alert", "Save queries whose matches arrive on a stream."),
        "chaos": ("operating.chaos", "Try to break the pipeline on a cluster of its own, by a seed."),
        "siege": ("operating.siege", "Attack a cluster of its own as hostile users would."),
        "webhook": ("operating.webhook", "Have events posted to other systems."),
        "topics": ("operating.topics", "Create or show the Kafka topics."),
        "token": ("operating.token", "Make a token for trying out."),
        "channel": ("operating.channel", "Show or change a channel."),
        "stream": ("roles.stream", "Run a Faust worker."),
        "edge": ("roles.edge", "Run a WebSocket edge."),
        "index": ("roles.index", "Run the search indexer."),
        "outbox": ("roles.outbox", "Run what leads out: notifications, webhooks, Web Push."),
        "gateway": ("roles.gateway", "Run the HTTP gateway."),
    }
)

#: Commands that need more than the smallest installation has, and the extra that brings it.
NEEDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **dict.fromkeys(("up", "down", "status", "doctor", "chaos"), "embedded"),
        **dict.fromkeys(("stream", "index", "outbox", "gateway", "alert", "channel", "token"), "server"),
    }
)


class Commands(click.Group):
    """Loads a command's module only when it is asked for, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in NEEDS:
            extras.check(NEEDS[cmd_name], f"`touchline {cmd_name}`")
        module = importlib.import_module(f"touchline.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="touchline %(version)s")
def cli() -> None:
    """Live events through Kafka to every viewer, and searchable.

    Start with `touchline up`, then try `touchline publish broadcast:demo --text "Kick-off"`.
    """


def main(arguments: list[str] | None = None) -> None:
    """Exits 0, 1 (failed) or 2 (wrong use)."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run a command line; an error is a sentence on standard error, with `--json` an object."""
    try:
        result: Any = cli.main(arguments, standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return 1
    except ModuleNotFoundError as error:
        extra = extras.that_brings(error.name or "")
        if extra is None:
            raise
        return _told(extras.missing(extra, "This"), arguments)
    except TouchlineError as error:
        return _told(error, arguments)
    except BrokenPipeError:
        # `touchline watch … | head`: the reader has enough. Keep Python from complaining when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _told(error: TouchlineError, arguments: list[str] | None) -> int:
    """Say an error; returns the exit code."""
    if "--json" in (sys.argv[1:] if arguments is None else arguments):
        click.echo(json.dumps({"code": error.code, "message": str(error)}, ensure_ascii=False), err=True)
    else:
        # It may quote what others wrote.
        sentence = "\n".join(printable(line) for line in str(error).split("\n"))
        click.echo(f"touchline: {sentence}", err=True)
    return 2 if error.code == "bad_setting" else 1
