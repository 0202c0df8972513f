"""What fails is raised as one of these. Which number is which class stands here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Dict, Optional, Tuple, Type
from uuid import UUID

from ._constants import Category, Remedy
from ._results import Result

if TYPE_CHECKING:
    from .events import Event


@dataclass(frozen=True)
class ErrorDetail:
    """What the library says about a failure. No field ever holds a secret."""

    #: The number.
    result: Result
    #: Its name in the header of C, such as "WM_E_LICENSE_REQUIRED".
    name: str
    #: One English sentence.
    message: str
    #: Kind of failure.
    category: Category = Category.NONE
    #: What helps.
    remedy: Remedy = Remedy.NONE
    #: Whether the same call may succeed later.
    retryable: bool = False
    #: When to try again, in seconds from the failure; None if unknown.
    retry_after: Optional[float] = None
    #: HTTP status of the service's answer; None if there was none.
    http_status: Optional[int] = None
    #: The service's own number for the problem; None if there was none.
    server_code: Optional[int] = None
    #: Key ID that the failure is about.
    kid: Optional[UUID] = None
    #: Finds the request in the service's log.
    request_id: Optional[str] = None
    #: Page that helps. Open it in the user's browser.
    url: Optional[str] = None
    #: What an operation told that nobody iterated over, the final event last.
    events: Tuple["Event", ...] = ()


class WmError(Exception):
    """A call or an operation failed. Everything that the library raises by itself is one of these.

    All fields of `ErrorDetail` are attributes: `result`, `name`, `message`, `category`, `remedy`, `retryable`, `retry_after`
    (seconds), `http_status`, `server_code`, `kid`, `request_id`, `url`, `events`. Arguments of a wrong type or range raise
    `TypeError`, `ValueError` or `OverflowError` before the library is asked.
    """

    def __init__(self, detail: ErrorDetail) -> None:
        super().__init__(detail)
        self.detail = detail
        self.result = detail.result
        self.name = detail.name
        self.message = detail.message
        self.category = detail.category
        self.remedy = detail.remedy
        self.retryable = detail.retryable
        self.retry_after = detail.retry_after
        self.http_status = detail.http_status
        self.server_code = detail.server_code
        self.kid = detail.kid
        self.request_id = detail.request_id
        self.url = detail.url
        self.events = detail.events

    def __str__(self) -> str:
        return f"{self.name}: {self.message}"


class CallError(WmError):
    """The call was wrong: a mistake of the application, such as using an object that is closed."""


class StateError(WmError):
    """The object cannot do this at present."""


class NetworkError(WmError):
    """The network, or what answered in place of the service."""


class ServiceError(WmError):
    """The service failed or refused the request as such."""


class TrustError(WmError):
    """Somebody's signature or certificate does not hold."""


class RefusedError(WmError):
    """The service decided against it."""


class RightsError(WmError):
    """A stored license does not permit it."""


class StorageError(WmError):
    """Files and folders."""


class ContentError(WmError):
    """The media file or sample."""


class Cancelled(WmError):
    """The application cancelled, or closed the object while its operation ran."""


class InternalError(WmError):
    """The library or the system failed."""


class WaitTimeout(StateError, TimeoutError):
    """The operation still runs when the time to wait is over. It goes on."""


class DeadlinePassed(NetworkError, TimeoutError):
    """The operation's own deadline passed; it is over."""


class Busy(StateError):
    """An operation runs on this object already, or another process holds the store."""


class Forked(CallError):
    """The process was forked; the library works only in the parent. Start processes with `spawn`."""


class NeedsIndividualization(StateError):
    """The device must be individualized first."""


class UserActionRequired(RefusedError):
    """The user must act first, on the page whose address is `url`."""


class NotLicensed(RightsError):
    """There is no license for this content."""


class Expired(RightsError):
    """The license, or the subscription that it belongs to, has ended."""


_BY_CATEGORY: Dict[Category, Type[WmError]] = {
    Category.CALL: CallError,
    Category.STATE: StateError,
    Category.NETWORK: NetworkError,
    Category.SERVICE: ServiceError,
    Category.TRUST: TrustError,
    Category.REFUSED: RefusedError,
    Category.RIGHTS: RightsError,
    Category.STORAGE: StorageError,
    Category.CONTENT: ContentError,
    Category.CANCELLED: Cancelled,
    Category.INTERNAL: InternalError,
}
_BY_RESULT: Dict[Result, Type[WmError]] = {
    Result.E_TIMEOUT: WaitTimeout,
    Result.E_DEADLINE: DeadlinePassed,
    Result.E_BUSY: Busy,
    Result.E_BACKUPRESTORE_BUSY: Busy,
    Result.E_ACQUIRING_LICENSE: Busy,
    Result.E_INDIVIDUALIZING: Busy,
    Result.E_REFRESHING_REVOCATIONS: Busy,
    Result.E_FORKED: Forked,
    Result.E_NEEDS_INDIVIDUALIZATION: NeedsIndividualization,
    Result.E_NO_RIGHTS: UserActionRequired,
    Result.E_LICENSE_REQUIRED: NotLicensed,
    Result.E_LICENSE_OUTOFDATE: Expired,
    Result.E_SUBSCRIPTION_ENDED: Expired,
    Result.S_ACQUIRE_CANCELLED: Cancelled,
    Result.S_MONITOR_CANCELLED: Cancelled,
}


def error_from(detail: ErrorDetail) -> WmError:
    """The exception for this detail, of the class that fits best."""
    return _BY_RESULT.get(detail.result, _BY_CATEGORY.get(detail.category, WmError))(detail)
