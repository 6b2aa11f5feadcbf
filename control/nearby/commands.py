"""Commands about friends, consent and fences: what each is about, and their folds. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from control.commands.signed import read_sealed
from control.entity.fold import EntityFold
from control.entity.types import AnyType
from control.nearby.fences import REMOVE_FENCE, SET_FENCE, fold_fences
from control.nearby.friends import BEFRIEND, UNFRIEND, decides, fold_friends
from control.nearby.sharing import SHARE, fold_sharing
from kernel.access.signing import Signer

COMMANDS: Final = frozenset({BEFRIEND, UNFRIEND, SHARE, SET_FENCE, REMOVE_FENCE})


def check(arguments: Mapping[str, Any]) -> None:
    """Raise `bad_request` where the arguments are not sealed: only doors give these commands."""
    read_sealed(arguments)


def folds(
    friends: AnyType, sharing: AnyType, fences: AnyType, signer: Signer
) -> Mapping[str, EntityFold[Any]]:
    """The fold of each command."""
    of_friends = EntityFold(type=friends, fold=fold_friends(signer), decides=decides)
    of_sharing = EntityFold(type=sharing, fold=fold_sharing(signer))
    of_fences = EntityFold(type=fences, fold=fold_fences(signer))
    return MappingProxyType(
        {
            BEFRIEND: of_friends,
            UNFRIEND: of_friends,
            SHARE: of_sharing,
            SET_FENCE: of_fences,
            REMOVE_FENCE: of_fences,
        }
    )
