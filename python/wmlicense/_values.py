"""Arguments on their way to the library: of the right type, in range, without a NUL. What C would cut off is refused here."""

from __future__ import annotations

import math
import operator
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Optional, SupportsIndex, Tuple, Union

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: A path, as every function of Python takes it.
PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
#: A time: an aware datetime, or seconds UTC since 1970.
Time = Union[datetime, int]

UINT32 = 0xFFFFFFFF
UINT64 = 0xFFFFFFFFFFFFFFFF


def text(value: str, what: str) -> bytes:
    """UTF-8 of a text."""
    if not isinstance(value, str):
        raise TypeError(f"{what} must be str, not {type(value).__name__}")
    if "\0" in value:
        raise ValueError(f"{what} has a NUL character")
    return value.encode("utf-8")


def path(value: PathLike, what: str) -> bytes:
    """A path as the system has it."""
    try:
        encoded = os.fsencode(value)
    except TypeError:
        raise TypeError(f"{what} must be str, bytes or os.PathLike, not {type(value).__name__}") from None
    if b"\0" in encoded:
        raise ValueError(f"{what} has a NUL byte")
    return encoded


def data(value: Buffer, what: str) -> bytes:
    """Bytes of an object with the buffer protocol."""
    try:
        return memoryview(value).tobytes()
    except TypeError:
        raise TypeError(f"{what} must be bytes or a buffer, not {type(value).__name__}") from None


def number(value: SupportsIndex, what: str, least: int = 0, largest: int = UINT32) -> int:
    """An integer that C has room for; it would cut off the rest."""
    try:
        found = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be int, not {type(value).__name__}") from None
    if not least <= found <= largest:
        raise OverflowError(f"{what} must be from {least} to {largest}")
    return found


def seconds(value: float, what: str) -> float:
    """A span of time in seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number of seconds, not {type(value).__name__}")
    if math.isnan(value):
        raise ValueError(f"{what} is not a number")
    return float(value)


def milliseconds(value: float, what: str) -> int:
    """A span of time in seconds as milliseconds; anything above 0 is one at least, because 0 means none."""
    span = seconds(value, what)
    if math.isinf(span):
        raise OverflowError(f"{what} must be finite")
    return number(max(math.ceil(span * 1000), 1) if span > 0 else math.floor(span * 1000), what)


def moment(value: Time, what: str) -> int:
    """Seconds UTC since 1970."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{what} has no time zone")
        return number(math.floor(value.timestamp()), what, largest=UINT64)
    return number(value, what, largest=UINT64)


def as_datetime(value: Optional[int]) -> Optional[datetime]:
    """A time of the library; what is later than a datetime can be is the latest there is."""
    if value is None:
        return None
    try:
        return datetime.fromtimestamp(value, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return datetime.max.replace(tzinfo=timezone.utc)


def split(value: Optional[str]) -> Tuple[str, ...]:
    """The parts of a list with semicolons."""
    return tuple(part for part in (value or "").split(";") if part)
