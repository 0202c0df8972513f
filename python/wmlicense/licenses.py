"""Stored licenses, one after the other."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional, Tuple
from uuid import UUID

from . import _header, _values
from ._library import error_of, library
from ._object import Object, create, of_client
from ._results import Result
from .kids import Kid, kid_list, kid_of_base64

if TYPE_CHECKING:
    from .client import Client


@dataclass(frozen=True)
class License:
    """A stored license. Times are UTC."""

    #: License ID, base64.
    lid: str
    #: Key ID.
    kid: UUID
    #: ID of the service that issued it, base64.
    issuer: str
    #: Actions granted.
    actions: Tuple[str, ...]
    #: Title for people.
    title: Optional[str]
    #: The owner's name of the content.
    content_id: Optional[str]
    #: When it was first issued.
    issue_date: Optional[datetime]
    #: First second in which some action is permitted.
    not_before: Optional[datetime]
    #: First second in which no action is permitted any more.
    not_after: Optional[datetime]
    #: From when on its owner wants it renewed.
    renew_after: Optional[datetime]
    #: Page about the renewal. The library never goes there.
    renew_url: Optional[str]
    #: Uses left of the action that has fewest.
    counts_left: Optional[int]
    #: Whether a backup takes it.
    backup_allowed: bool
    #: Key ID of the root license that a subscription's license needs.
    root_kid: Optional[UUID]
    #: What the policy demands of outputs for the action Play, as the owner wrote it.
    output_protection: Optional[bytes]


class LicenseEnumerator(Object):
    """An iterator over stored licenses that `Client.licenses` makes. Those that come and go meanwhile may or may not be seen."""

    def __init__(
        self,
        client: "Client",
        *,
        kid: Optional[Kid] = None,
        action: Optional[str] = None,
        issuer: Optional[str] = None,
        expiring_before: Optional[_values.Time] = None,
    ) -> None:
        super().__init__(create("wm_create_license_enumerator", of_client(client)._handle))
        client._adopt(self)
        self._client = client
        self._turn = threading.Lock()
        self._exhausted = False
        with self._closed_if_it_fails():
            if kid is not None:
                self.set_prop(_header.PROP_FILTER_KID, kid_list([kid]))
            if action is not None:
                self.set_prop(_header.PROP_FILTER_ACTION, _checked(action, "action"))
            if issuer is not None:
                self.set_prop(_header.PROP_FILTER_ISSUER, _checked(issuer, "issuer"))
            if expiring_before is not None:
                self.set_prop(_header.PROP_FILTER_EXPIRING_BEFORE, _values.moment(expiring_before, "expiring_before"))

    def __iter__(self) -> "LicenseEnumerator":
        return self

    def __next__(self) -> License:
        # The library shows the license that was reached last: threads that share an iterator take turns.
        with self._turn:
            if self._exhausted:
                raise StopIteration
            result = library().wm_next_license(self._handle)
            if result == Result.E_NO_MORE_ITEMS:
                self._exhausted = True
                self.close()
                raise StopIteration
            if result < 0:
                raise error_of(result)
            return self._shown()

    def _shown(self) -> License:
        def value(name: str) -> Any:
            return self._look_up(name)

        def time(name: str) -> Optional[datetime]:
            return _values.as_datetime(value(name))

        root = value(_header.PROP_ROOT_KID)
        return License(
            lid=value(_header.PROP_LID),
            kid=kid_of_base64(value(_header.PROP_KID)),
            issuer=value(_header.PROP_ISSUER),
            actions=_values.split(value(_header.PROP_ACTIONS)),
            title=value(_header.PROP_TITLE),
            content_id=value(_header.PROP_CONTENT_ID),
            issue_date=time(_header.PROP_ISSUE_DATE),
            not_before=time(_header.PROP_NOT_BEFORE),
            not_after=time(_header.PROP_NOT_AFTER),
            renew_after=time(_header.PROP_RENEW_AFTER),
            renew_url=value(_header.PROP_RENEW_URL),
            counts_left=value(_header.PROP_COUNTS_LEFT),
            backup_allowed=bool(value(_header.PROP_BACKUP_ALLOWED)),
            root_kid=kid_of_base64(root) if root else None,
            output_protection=value(_header.PROP_OUTPUT_PROTECTION),
        )


def _checked(value: str, what: str) -> str:
    _values.text(value, what)
    return value
