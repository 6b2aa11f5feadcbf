"""All attackers, by name."""

from collections.abc import Mapping
from typing import Final

from chaos.siege.attackers.attack import Attacker
from chaos.siege.attackers.on_the_log import LOG
from chaos.siege.attackers.over_crowds import CROWDS
from chaos.siege.attackers.over_http import HTTP
from chaos.siege.attackers.over_people import PEOPLE
from chaos.siege.attackers.over_sockets import SOCKETS

ATTACKERS: Final[Mapping[str, Attacker]] = {
    one.name: one for one in (*HTTP, *SOCKETS, *CROWDS, *PEOPLE, *LOG)
}
