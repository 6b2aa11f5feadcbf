"""Rows of numbers by their slot, in arrays that grow: what is free is used again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

_FIRST = 64


class Columns:
    """Some arrays of one length; `columns` says the type of each, by its name."""

    def __init__(self, **columns: Any) -> None:
        self.of: Mapping[str, npt.NDArray[Any]] = {
            name: np.zeros(_FIRST, kind) for name, kind in columns.items()
        }
        self._free = list(range(_FIRST - 1, -1, -1))

    def take(self) -> int:
        """A slot that is free: all of it is zero."""
        if not self._free:
            size = len(next(iter(self.of.values())))
            self.of = {name: np.concatenate((array, np.zeros_like(array))) for name, array in self.of.items()}
            self._free = list(range(2 * size - 1, size - 1, -1))
        return self._free.pop()

    def give_back(self, slot: int) -> None:
        """Nobody uses it any more."""
        for array in self.of.values():
            array[slot] = 0
        self._free.append(slot)
