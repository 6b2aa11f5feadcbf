"""What an installation can be without: which extra of the package brings which import."""

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

from kernel.errors import TouchlineError

#: Extra -> what only it brings, by its name at import. Not here: what some platforms do without.
EXTRAS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "registry": ("attr", "authlib", "cachetools", "certifi", "httpx2"),
        "server": (
            *(
                "ahocorasick",
                "aiohttp",
                "aiokafka",
                "cryptography",
                "elastic_transport",
                "elasticsearch",
                "faust",
                "http_ece",
                "jwt",
                "numpy",
                "prometheus_client",
                "rich",
            ),
            *("snowballstemmer", "standardwebhooks", "yarl", "zstandard"),
        ),
        "embedded": ("jgo", "psutil", "requests"),
        "s3": ("aiobotocore", "botocore"),
        "rocksdb": ("rocksdict",),
        "languages": ("py3langid",),
        "meaning": ("wordllama",),
        "korean": ("kiwipiepy", "kiwipiepy_model"),
        "japanese": ("sudachidict_small", "sudachipy"),
        "traces": ("opentelemetry",),
    }
)
#: Extra -> those that come with it.
IMPLIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "server": ("registry",),
        "embedded": ("server", "registry"),
        "s3": ("server", "registry"),
        "rocksdb": ("server", "registry"),
        "languages": ("server", "registry"),
        "meaning": ("server", "registry"),
        "korean": ("server", "registry"),
        "japanese": ("server", "registry"),
    }
)


def that_brings(module: str) -> str | None:
    """The extra with this module, if one has it."""
    top = module.partition(".")[0]
    return next((extra for extra, modules in EXTRAS.items() if top in modules), None)


def missing(extra: str, what: str) -> TouchlineError:
    """The sentence for whoever wants `what` without having installed the extra."""
    return TouchlineError(
        "not_installed", f"{what} needs more than is installed: run pip install 'touchline[{extra}]'."
    )


def check(extra: str, what: str) -> None:
    """Raise `not_installed` unless all of the extra is there."""
    for name in (*IMPLIES.get(extra, ()), extra):
        # One that is loaded already may have no specification any more: Faust makes itself anew.
        if any(module not in sys.modules and find_spec(module) is None for module in EXTRAS[name]):
            raise missing(extra, what)
