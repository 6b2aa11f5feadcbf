"""Commands about follows: what each is about, and their folds. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from control.entity.fold import EntityFold
from control.entity.types import AnyType
from control.feeds.follows import FOLLOW, UNFOLLOW, decides, fold_follows
from kernel.access.signing import Signer

COMMANDS: Final = frozenset({FOLLOW, UNFOLLOW})


def folds(follows: AnyType, signer: Signer) -> Mapping[str, EntityFold[Any]]:
    """The fold of each command."""
    of_follows = EntityFold(type=follows, fold=fold_follows(signer), decides=decides)
    return MappingProxyType({FOLLOW: of_follows, UNFOLLOW: of_follows})
