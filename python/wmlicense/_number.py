"""Enums of numbers that a later library may have more of."""

from __future__ import annotations

from enum import IntEnum
from typing import Optional


class Number(IntEnum):
    """An integer with a name. A number that this package does not know becomes a member named `UNKNOWN_…`."""

    @classmethod
    def _missing_(cls, value: object) -> Optional["Number"]:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value & 0xFFFFFFFF:X}"
        member._value_ = value
        known = cls._value2member_map_.setdefault(value, member)
        return known if isinstance(known, cls) else None

    def __str__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    def __format__(self, form: str) -> str:
        return format(int(self) if form else str(self), form)
