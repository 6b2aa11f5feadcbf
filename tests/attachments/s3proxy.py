"""A real S3 server for the tests: S3Proxy, from Maven. It checks signatures, expiry and checksums."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from embedded.backends.artifacts import install, java_home
from embedded.backends.pins import read
from embedded.ports import find_free
from tests.pipeline import eventually
from tests.servers import servers_dir

PINS = Path(__file__).with_name("s3proxy.txt")
KEY, SECRET_KEY, BUCKET = "tests-key-id", "tests-secret-key-of-40-characters-or-so", "touchline-tests"


@contextlib.contextmanager
def running_s3(directory: Path) -> Iterator[str]:
    """Its address; there is one bucket."""
    jars = install(servers_dir(), ["s3proxy"], known=read(PINS.read_text()))["s3proxy"]
    url = f"http://127.0.0.1:{find_free()}"
    (directory / "data" / BUCKET).mkdir(parents=True)
    properties = directory / "s3proxy.conf"
    properties.write_text(
        f"s3proxy.authorization=aws-v2-or-v4\ns3proxy.endpoint={url}\ns3proxy.identity={KEY}\n"
        f"s3proxy.credential={SECRET_KEY}\njclouds.provider=filesystem\n"
        f"jclouds.filesystem.basedir={directory / 'data'}\n"
    )
    log = (directory / "s3proxy.log").open("wb")
    command = [str(java_home() / "bin" / "java"), "-Xmx128m", "-cp", f"{jars}/*", "org.gaul.s3proxy.Main"]
    with log, subprocess.Popen([*command, "--properties", properties], stdout=log, stderr=log) as server:
        try:
            eventually("S3Proxy answers", lambda: _answers(url), within=60)
            yield url
        finally:
            server.kill()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=3):
            return True
    except HTTPError as error:
        error.close()
        return True  # it says no to whoever has no key
    except (URLError, OSError):
        return False
