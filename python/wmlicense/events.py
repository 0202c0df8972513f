"""Events: what an operation tells on the way and at its end, copied out of the library's queue."""

from __future__ import annotations

import ctypes
from ctypes import string_at
from dataclasses import dataclass
from typing import Any, Callable, Dict, Optional, Tuple, Type, Union
from uuid import UUID

from . import _header
from ._constants import HttpPhase, IndividualizePhase, Status
from ._library import detail_of, text_of
from ._results import Result
from .errors import WmError, error_from
from .kids import kid_of_base64


@dataclass(frozen=True)
class Progress:
    """How far an operation is: value of `Status.PROGRESS`."""

    #: Done so far: licenses, or bytes of a backup.
    done: int
    #: The same in all; None if unknown.
    total: Optional[int]


@dataclass(frozen=True)
class NetworkProgress:
    """How far a request to a service is: value of `Status.NETWORK`."""

    #: Phase of the attempt under way; NOTINITIATED while the next one is waited for.
    http_phase: HttpPhase
    #: Which attempt, from 1 on.
    attempt: int
    #: Attempts at most; None: no limit.
    attempts: Optional[int]
    #: Bytes of the answer received.
    bytes: int
    #: Bytes of the answer in all; None if unknown.
    bytes_total: Optional[int]
    #: Seconds until the next attempt, counted from this event; None: none waits.
    next_try: Optional[float]
    #: Host that is asked.
    host: str


@dataclass(frozen=True)
class IndividualizeProgress:
    """How far an individualization is: value of `Status.INDIVIDUALIZE`."""

    #: 0 while it goes on, then the final result.
    result: Result
    #: Phase of the individualization.
    phase: IndividualizePhase
    #: Requests completed.
    requests: int
    #: Phase of the request under way.
    http_phase: HttpPhase
    #: Bytes of the answer received.
    bytes: int
    #: Bytes of the answer in all; None if unknown.
    bytes_total: Optional[int]


@dataclass(frozen=True)
class RestoreVerdict:
    """What a restore would do with a license: value of `Status.RESTORE_VERDICT`. The event's result is 0 or why it stays out."""

    #: Key ID of the license.
    kid: UUID
    #: Devices that hold it; None where the service need not be asked.
    devices_used: Optional[int]
    #: Devices that may hold it; None where the service need not be asked.
    devices_limit: Optional[int]
    #: Title for people; None if there is none.
    title: Optional[str]


@dataclass(frozen=True)
class SectionClosed:
    """Sections of a backup that stay closed for one reason: value of `Status.SECTION_CLOSED`."""

    #: How many.
    sections: int
    #: Bytes of the backup in them.
    bytes: int
    #: Page of the service that helps; None if it named none.
    url: Optional[str]


EventValue = Union[None, str, bytes, int, bool, Progress, NetworkProgress, IndividualizeProgress, RestoreVerdict, SectionClosed]


@dataclass(frozen=True)
class Event:
    """One event of an operation."""

    #: What it tells.
    status: Status
    #: 0 or the reason.
    result: Result
    #: What comes with it; its type follows from the status.
    value: EventValue = None
    #: The reason with all that is known of it; None where the result is a success.
    error: Optional[WmError] = None

    @property
    def kid(self) -> Optional[UUID]:
        """The key ID that the event is about."""
        if isinstance(self.value, RestoreVerdict):
            return self.value.kid
        return kid_of_base64(self.value) if self.status in _ABOUT_KID and isinstance(self.value, str) else None

    @property
    def url(self) -> Optional[str]:
        """A page for the user's browser."""
        if isinstance(self.value, SectionClosed):
            return self.value.url
        return self.value if self.status in _WITH_URL and isinstance(self.value, str) else None

    @property
    def is_progress(self) -> bool:
        """Whether it only tells how far something is. Of those that nobody has read yet the newest is kept."""
        return isinstance(self.value, (Progress, NetworkProgress, IndividualizeProgress))


_ABOUT_KID = frozenset(
    {Status.RESTRICTED_LICENSE, Status.LICENSE_REFUSED, Status.DAMAGED_LICENSE, Status.RENEWAL_DUE}
)
_WITH_URL = frozenset({Status.ACQUIRE_LICENSE, Status.ERROR_WITHURL})


def _progress(value: Any) -> Progress:
    return Progress(value.done, value.total or None)


def _network(value: Any) -> NetworkProgress:
    return NetworkProgress(
        HttpPhase(value.http_phase),
        value.attempt,
        value.attempts or None,
        value.bytes,
        value.bytes_total or None,
        value.next_try_ms / 1000 if value.next_try_ms else None,
        text_of(value.host),
    )


def _individualize(value: Any) -> IndividualizeProgress:
    return IndividualizeProgress(
        Result(value.result),
        IndividualizePhase(value.phase),
        value.requests,
        HttpPhase(value.http_phase),
        value.bytes,
        value.bytes_total or None,
    )


def _verdict(value: Any) -> RestoreVerdict:
    limit = value.devices_limit or None
    used = None if limit is None else value.devices_used
    return RestoreVerdict(UUID(bytes=bytes(value.kid)), used, limit, text_of(value.title) or None)


def _section(value: Any) -> SectionClosed:
    return SectionClosed(value.sections, value.bytes, text_of(value.url) or None)


_STRUCTS: Dict[Status, Tuple[Type[ctypes.Structure], Callable[[Any], EventValue]]] = {
    Status.PROGRESS: (_header.wm_progress, _progress),
    Status.NETWORK: (_header.wm_network_progress, _network),
    Status.INDIVIDUALIZE: (_header.wm_individualize_progress, _individualize),
    Status.RESTORE_VERDICT: (_header.wm_restore_verdict, _verdict),
    Status.SECTION_CLOSED: (_header.wm_section_closed, _section),
}


def _value_of(raw: Any, status: Status) -> EventValue:
    if not raw.value or raw.size == 0:
        return None
    value = string_at(raw.value, raw.size)
    if raw.type == _header.TYPE_STRING:
        return text_of(value[:-1])
    if raw.type == _header.TYPE_BINARY:
        if status not in _STRUCTS:
            return value
        kind, build = _STRUCTS[status]
        # A later library may know more fields, an older one fewer.
        return build(kind.from_buffer_copy(value[: ctypes.sizeof(kind)].ljust(ctypes.sizeof(kind), b"\0")))
    number = ctypes.c_uint64.from_buffer_copy(value[:8].ljust(8, b"\0")).value
    return bool(number) if raw.type == _header.TYPE_BOOL else number


def event_of(raw: Any) -> Event:
    """A copy of what the queue gave to this thread a moment ago."""
    status = Status(raw.status)
    event = Event(status, Result(raw.result), _value_of(raw, status))
    if raw.result >= 0:
        return event
    return Event(event.status, event.result, event.value, error_from(detail_of(raw.result, event.url)))
