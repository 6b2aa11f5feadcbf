"""Commands about webhooks and notifications: what each is about, and their folds. Pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from control.entity.fold import EntityFold
from control.entity.types import AnyType
from control.outlets.notifying import LOOK, NOTE_TOLD, SET_NOTIFYING, fold_notifying
from control.outlets.webhooks import (
    END_WEBHOOK,
    REMOVE_WEBHOOK,
    RETRY_WEBHOOK,
    SET_WEBHOOK,
    fold_webhooks,
)
from kernel.access.signing import Signer

_OF_WEBHOOKS: Final = (SET_WEBHOOK, REMOVE_WEBHOOK, END_WEBHOOK, RETRY_WEBHOOK)
_OF_USERS: Final = (SET_NOTIFYING, NOTE_TOLD, LOOK)
COMMANDS: Final = frozenset({*_OF_WEBHOOKS, *_OF_USERS})


def folds(webhooks: AnyType, notifying: AnyType, signer: Signer) -> Mapping[str, EntityFold[Any]]:
    """The fold of each command."""
    of_webhooks = EntityFold(type=webhooks, fold=fold_webhooks(signer))
    of_users = EntityFold(type=notifying, fold=fold_notifying(signer))
    return MappingProxyType(
        {**dict.fromkeys(_OF_WEBHOOKS, of_webhooks), **dict.fromkeys(_OF_USERS, of_users)}
    )
