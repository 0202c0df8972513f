"""The whole way to a license in one call: look what is stored, individualize, acquire, look again.

It is made of operations in place of the blocking function of C, so that Ctrl-C and a cancelled task end it at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generator, List, Optional, TypeVar
from uuid import UUID

from . import _header, _values
from ._constants import Action, Status
from ._library import call
from ._results import Result
from .content_header import ContentHeader
from .decryptor import Decryptor
from .errors import NeedsIndividualization, WmError
from .operation import AskingObject, Operation, Outcome
from .verbs import Individualizer, LicenseRequest

if TYPE_CHECKING:
    from .client import Client

_Steps = Generator[Operation, Outcome, Result]
V = TypeVar("V", bound=AskingObject)


def ensure_license(
    client: "Client",
    header: ContentHeader,
    action: str = Action.PLAY,
    *,
    individualize: bool = False,
    timeout: Optional[float] = None,
) -> Result:
    """Sees to it that content can be used, and waits until that is so.

    `Result.S_OK`: stored licenses permit the action for every key ID of the header; no network was used. Else it acquires
    silently what is missing and answers `Result.S_LICENSE_ACQUIRED`. individualize: the device, where that is needed; the user
    agreed. timeout: in seconds, after which it raises `DeadlinePassed`. Raises what the step failed with: `UserActionRequired`
    with the page's `url` (open it and call again), `NeedsIndividualization`, `RefusedError`, `NetworkError`, or a `RightsError`
    where licenses came that do not permit the action.
    """
    steps = _steps(client, header, action, individualize, timeout)
    try:
        operation = next(steps)
        while True:
            with operation:
                try:
                    outcome = operation.wait()
                except WmError as error:
                    failure: Optional[WmError] = error
                else:
                    failure = None
            operation = steps.send(outcome) if failure is None else steps.throw(failure)
    except StopIteration as end:
        return Result(end.value)


async def ensure_license_async(
    client: "Client",
    header: ContentHeader,
    action: str = Action.PLAY,
    *,
    individualize: bool = False,
    timeout: Optional[float] = None,
) -> Result:
    """The same without blocking the event loop. A task that is cancelled ends it."""
    steps = _steps(client, header, action, individualize, timeout)
    try:
        operation = next(steps)
        while True:
            try:
                outcome = await operation
            except WmError as error:
                operation = steps.throw(error)
            else:
                operation = steps.send(outcome)
    except StopIteration as end:
        return Result(end.value)


def _missing(client: "Client", kids: List[UUID], action: str) -> List[UUID]:
    return [kid for kid in kids if client.query_action_allowed(kid, action)]


def _steps(
    client: "Client", header: ContentHeader, action: str, individualize: bool, timeout: Optional[float]
) -> _Steps:
    if not isinstance(header, ContentHeader):
        raise TypeError(f"header must be ContentHeader, not {type(header).__name__}")
    until = None if timeout is None else time.monotonic() + _values.seconds(timeout, "timeout")
    kids = list(header.kids)
    if not kids:
        # The library says what is wrong, before it looks at anything else.
        call("wm_ensure_license", client._handle, header._handle, _values.text(action, "action"), 0, _header.INFINITE)
    missing = _missing(client, kids, action)
    if not missing:
        return Result.S_OK
    request = LicenseRequest(client, key_ids=missing, actions=[action])
    try:
        outcome = yield _in_time(request, until).acquire_license()
    except NeedsIndividualization:
        if not individualize:
            raise
        with Individualizer(client, user_consent=True) as individualizer:
            yield _in_time(individualizer, until).individualize()
        outcome = yield _in_time(request, until).acquire_license()
    finally:
        request.close()
    for kid in _missing(client, missing, action):
        for refused in outcome.events_of(Status.LICENSE_REFUSED):
            if refused.kid == kid and refused.error is not None:
                raise refused.error
        Decryptor(client, kid, action).close()
    return Result.S_LICENSE_ACQUIRED


def _in_time(verbed: V, until: Optional[float]) -> V:
    """Sets the operation's own deadline to what is left of the time."""
    if until is not None:
        verbed.deadline = max(until - time.monotonic(), 0.001)
    return verbed
