"""`make containers`; or, with `-- COMMAND …`, a command run with a Docker daemon at hand."""

import argparse
import subprocess
import sys
import time
from typing import Final

from tests.containers.daemon import NoDaemonError, daemon
from tests.containers.hold import NotHeldError, hold, images
from tests.containers.standins import provide, server_images

#: There is no Docker daemon, and none can be started: nothing was tried.
_NO_DAEMON: Final = 75


def main(arguments: list[str]) -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.containers", description=__doc__)
    parser.add_argument("--minutes", type=float, default=0.0, help="of load more, after all that was broken")
    parser.add_argument("--secure", action="store_true", help="with deploy/secure.yml, and nothing is broken")
    parser.add_argument("--alerts", action="store_true", help="break what alerts are for (15 minutes)")
    parser.add_argument("--kafka", action="store_true", help="beside a command: no Elasticsearch is needed")
    parser.add_argument("--images", action="store_true", help="only make the images, for a run to come")
    parser.add_argument("command", nargs="*", help="to run beside a daemon that has the servers' images")
    given = parser.parse_args(arguments)
    begun = time.monotonic()

    def tell(sentence: str) -> None:
        print(f"[{time.monotonic() - begun:4.0f} s] {sentence}", flush=True)  # noqa: T201

    try:
        if given.command:
            with daemon() as docker:
                provide(docker, server_images()[: 1 if given.kafka else None], tell)
                return subprocess.run(given.command, env=docker.environment, check=False).returncode
        if given.images:
            with daemon() as docker:
                images(docker, tell)
            return 0
        hold(tell, minutes=given.minutes, secure=given.secure, alerts=given.alerts)
    except NoDaemonError as error:
        print(f"containers: not tried. {error}", file=sys.stderr)  # noqa: T201
        return _NO_DAEMON
    except (NotHeldError, AssertionError, RuntimeError) as error:
        print(f"containers: NOT held. {error}", file=sys.stderr)  # noqa: T201
        return 1
    print("containers: held")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
