"""License individualization, acquisition, use, backup and restore for media players: `libwmlicense` for Python.

The shortest way to a license:

    import wmlicense

    header = wmlicense.ContentHeader.from_file("film.mp4")
    with wmlicense.Client("store", authority=AUTHORITY, service_url=URL, account_token=TOKEN) as client:
        wmlicense.ensure_license(client, header, individualize=True, timeout=30)
        with wmlicense.Decryptor(client, header.kids[0]) as decryptor:
            decryptor.decrypt(data, wmlicense.Sample(iv))

Everything else repeats one gesture: create an object from a client, set its properties, call a verb. A verb that runs in the
background gives back an `Operation`: `wait()` for it in a thread, `await` it in an event loop, iterate over its events in either.

Times are aware datetimes in UTC, spans are seconds, key IDs are `uuid.UUID`. What fails raises a `WmError`; its classes follow
the library's categories, and `remedy` says what helps. Arguments of a wrong type or range raise `TypeError`, `ValueError` or
`OverflowError`. Every object may be used by any number of threads; calls that wait let the others run. No thread is started,
and nothing of Python is called from the library's own threads.
"""

from ._constants import (
    Action,
    Category,
    ClockVerdict,
    HttpPhase,
    IndividualizePhase,
    KidForm,
    LicenseStateCategory,
    Reason,
    Remedy,
    Scheme,
    Status,
)
from ._header import VERSION as __version__
from ._library import library_path, library_version, live_objects, result_message
from ._results import Result
from .client import Client, LicenseState
from .content_header import ContentHeader, is_content_protected
from .decryptor import Decryptor, Sample
from .ensure import ensure_license, ensure_license_async
from .errors import (
    Busy,
    CallError,
    Cancelled,
    ContentError,
    DeadlinePassed,
    ErrorDetail,
    Expired,
    Forked,
    InternalError,
    NeedsIndividualization,
    NetworkError,
    NotLicensed,
    RefusedError,
    RightsError,
    ServiceError,
    StateError,
    StorageError,
    TrustError,
    UserActionRequired,
    WaitTimeout,
    WmError,
)
from .events import (
    Event,
    EventValue,
    IndividualizeProgress,
    NetworkProgress,
    Progress,
    RestoreVerdict,
    SectionClosed,
)
from .kids import Kid, kid_from_text, kid_to_text
from .licenses import License, LicenseEnumerator
from .operation import Operation, Outcome
from .verbs import BackupRestorer, Individualizer, LicenseRequest, RevocationAgent, StoreKeeper

__all__ = [
    "Action",
    "BackupRestorer",
    "Busy",
    "CallError",
    "Cancelled",
    "Category",
    "Client",
    "ClockVerdict",
    "ContentError",
    "ContentHeader",
    "DeadlinePassed",
    "Decryptor",
    "ErrorDetail",
    "Event",
    "EventValue",
    "Expired",
    "Forked",
    "HttpPhase",
    "IndividualizePhase",
    "IndividualizeProgress",
    "Individualizer",
    "InternalError",
    "Kid",
    "KidForm",
    "License",
    "LicenseEnumerator",
    "LicenseRequest",
    "LicenseState",
    "LicenseStateCategory",
    "NeedsIndividualization",
    "NetworkError",
    "NetworkProgress",
    "NotLicensed",
    "Operation",
    "Outcome",
    "Progress",
    "Reason",
    "RefusedError",
    "Remedy",
    "RestoreVerdict",
    "Result",
    "RevocationAgent",
    "RightsError",
    "Sample",
    "Scheme",
    "SectionClosed",
    "ServiceError",
    "StateError",
    "Status",
    "StorageError",
    "StoreKeeper",
    "TrustError",
    "UserActionRequired",
    "WaitTimeout",
    "WmError",
    "__version__",
    "ensure_license",
    "ensure_license_async",
    "is_content_protected",
    "kid_from_text",
    "kid_to_text",
    "library_path",
    "library_version",
    "live_objects",
    "result_message",
]
