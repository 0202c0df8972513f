"""The objects with verbs that run in the background. Each verb gives back an `Operation` at once."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Iterable, Optional, Tuple
from uuid import UUID

from . import _header, _values
from ._constants import Status
from ._library import call, read, read_text
from ._object import Readable, Settable
from ._results import Result
from .errors import WmError, error_from
from .events import Event
from .kids import Kid, kid_list, kid_of_base64
from .operation import AskingObject, Operation, Outcome, VerbObject

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .client import Client

#: Room that a challenge usually needs, in bytes.
_CHALLENGE = 4096


class Individualizer(AskingObject):
    """Makes the device's keys and gets the certificate for them. user_consent: the user agrees; required."""

    user_consent: Settable[bool] = Settable(_header.PROP_USER_CONSENT, "The user agrees to individualization. Required.")

    def __init__(self, client: "Client", *, user_consent: bool = False) -> None:
        super().__init__(client, "wm_create_individualizer")
        with self._closed_if_it_fails():
            if user_consent:
                self.user_consent = True

    def individualize(self, *, force: bool = False) -> Operation:
        """Individualizes the device; uses no network where its certificate is current. force: new keys all the same.

        Tells `Status.INDIVIDUALIZE` and `Status.NETWORK`; ends with `Result.S_INDIVIDUALIZED`. Raises `CallError` while consent or
        the client's `service_url` is missing.
        """
        return self._start(Status.INDIVIDUALIZE, "wm_individualize", _header.INDIVIDUALIZE_FORCE if force else 0)


class LicenseRequest(AskingObject):
    """Acquires licenses from an issuer, and renews them.

    key_ids: what is asked for; else what `header`, the content header as the file has it, names. With neither it is a pre-delivery
    of all that the account may have, or of `scope`. actions: wanted, `Action.PLAY` where left out. url: the service to ask in place
    of the client's. expiring_within: for `renew_licenses`, only what ends or is due within so many days. custom_data: bytes of
    the application for the service. transaction_id: resumes a transaction after a restart. loopback_redirect: the page leads
    back to this process, so that `monitor_license` waits less.
    """

    url: Settable[str] = Settable(_header.PROP_URL, "Service to ask instead of the client's.")
    scope: Settable[str] = Settable(_header.PROP_SCOPE, "Everything of this scope, for pre-delivery.")
    header: Settable[bytes] = Settable(_header.PROP_HEADER, "Content header as the file has it.")
    custom_data: Settable[bytes] = Settable(_header.PROP_CUSTOM_DATA, "The application's own bytes for the service.")
    expiring_within: Settable[int] = Settable(_header.PROP_EXPIRING_WITHIN, "Days; for renew_licenses.")
    loopback_redirect: Settable[bool] = Settable(_header.PROP_LOOPBACK_REDIRECT, "The page leads back to this process.")
    transaction_id: Settable[str] = Settable(
        _header.PROP_TRANSACTION_ID, "Base64 ID of the last transaction; set it to resume one after a restart."
    )
    interaction_code: Readable[str] = Readable(
        _header.PROP_INTERACTION_CODE, "The six digits that the page shows as well, while a request is pending."
    )

    def __init__(
        self,
        client: "Client",
        *,
        key_ids: Optional[Iterable[Kid]] = None,
        header: Optional["Buffer"] = None,
        actions: Optional[Iterable[str]] = None,
        url: Optional[str] = None,
        scope: Optional[str] = None,
        expiring_within: Optional[int] = None,
        custom_data: Optional["Buffer"] = None,
        transaction_id: Optional[str] = None,
        loopback_redirect: Optional[bool] = None,
    ) -> None:
        super().__init__(client, "wm_create_license_request")
        with self._closed_if_it_fails():
            if key_ids is not None:
                self.key_ids = key_ids
            if actions is not None:
                self.actions = actions
            if header is not None:
                self.header = _values.data(header, "header")
            if custom_data is not None:
                self.custom_data = _values.data(custom_data, "custom_data")
            self._set("url", url)
            self._set("scope", scope)
            self._set("expiring_within", expiring_within)
            self._set("transaction_id", transaction_id)
            self._set("loopback_redirect", loopback_redirect)

    def _set(self, name: str, value: object) -> None:
        if value is not None:
            setattr(self, name, value)

    @property
    def key_ids(self) -> Optional[Tuple[UUID, ...]]:
        """Key IDs that are asked for, set in any form of them; None takes them away. An empty list is refused: it means nothing,
        while none at all means everything."""
        kids = self._look_up(_header.PROP_KEY_IDS)
        return None if kids is None else tuple(kid_of_base64(kid) for kid in _values.split(kids))

    @key_ids.setter
    def key_ids(self, kids: Optional[Iterable[Kid]]) -> None:
        self._set_list(_header.PROP_KEY_IDS, None if kids is None else kid_list(kids))

    @property
    def actions(self) -> Optional[Tuple[str, ...]]:
        """Actions wanted; None means `Action.PLAY`."""
        actions = self._look_up(_header.PROP_ACTIONS)
        return None if actions is None else _values.split(actions)

    @actions.setter
    def actions(self, actions: Optional[Iterable[str]]) -> None:
        if isinstance(actions, (str, bytes)):
            raise TypeError("actions must be a list, even if it is one")
        self._set_list(_header.PROP_ACTIONS, None if actions is None else ";".join(actions))

    def _set_list(self, name: str, joined: Optional[str]) -> None:
        if joined:
            self.set_prop(name, joined)
        elif joined is not None:
            raise ValueError(f"{name} must not be empty; None takes them away")
        elif self._look_up(name) is not None:
            self.remove_prop(name)

    def acquire_license(self, *, silent: bool = True) -> Operation:
        """Acquires what is asked for. silent=False: the user can be sent to a page of the service.

        Only `Outcome.license_stored` means that a license is stored. Where the user must act, it raises `UserActionRequired` with
        the `url` of the page; with silent=False it ends with `Result.S_OK` and `Outcome.url` instead: open the page, show
        `interaction_code` beside it, and call `monitor_license`. Tells `Status.LICENSE_REFUSED` for each license refused.
        """
        flags = _header.ACQUIRE_SILENT if silent else _header.ACQUIRE_NONSILENT
        return self._start(Status.ACQUIRE_LICENSE, "wm_acquire_license", flags)

    def monitor_license(self) -> Operation:
        """Waits until the user has acted on the page and the license is stored. Cancelling it only ends the watching.

        Raises `RefusedError` (`Result.E_LICENSE_NOTACQUIRED`) where the user declined or did not act in time.
        """
        return self._start(Status.ACQUIRE_LICENSE, "wm_monitor_license")

    def renew_licenses(self) -> Operation:
        """Renews stored licenses at the services they came from: those that fit `key_ids`, `scope` and `expiring_within`.

        Ends with `Result.S_LICENSE_ACQUIRED`, `Result.S_NOTHING_TO_RENEW` where none fits, or `Result.S_NOTHING_NEW`.
        """
        return self._start(Status.ACQUIRE_LICENSE, "wm_renew_licenses", _header.ACQUIRE_SILENT)

    def get_challenge(self) -> bytes:
        """The exact bytes that ask the service, for an application that carries them itself. Uses no network.

        POST them as application/cose to `get_license_url`, with the account token in the header Authorization if there is one.
        """
        return read("wm_get_challenge", self._handle, room=_CHALLENGE)[1]

    def get_license_url(self) -> str:
        """The page on which the user must act, once the service named one; before that, where the challenge is POSTed."""
        return read_text("wm_get_license_url", self._handle)[1]

    def process_response(self, data: "Buffer") -> Outcome:
        """Takes the service's answer to the challenge, or licenses that an issuer gave unasked, and stores what it holds.

        `Result.S_MORE_TO_FETCH`: carry the next challenge, too. `Result.S_LICENSE_ACQUIRED`, `Result.S_NOTHING_NEW` or
        `Result.S_LICENSE_KNOWN`: everything is fetched. `Outcome.events` tells refusals, unless a monitor runs and tells them.
        """
        answer = _values.data(data, "data")
        try:
            result = call("wm_process_response", self._handle, answer, len(answer))
        except WmError as error:
            raise error_from(dataclasses.replace(error.detail, events=self._told_aside())) from None
        return Outcome(Result(result), None, self._told_aside())

    def _told_aside(self) -> Tuple[Event, ...]:
        if self.client._pump.runs_here():
            self.client._pump.read()
        told = []
        while self._aside:
            told.append(self._aside.popleft())
        return tuple(told)

    def abandon_acquisition(self) -> None:
        """Gives up the request that waits for its answer. Raises `StateError` where none waits."""
        call("wm_abandon_acquisition", self._handle)


class BackupRestorer(AskingObject):
    """Backs licenses up to a folder and restores them. Paths are folders that exist: str, bytes or os.PathLike."""

    backup_path: Settable[_values.PathLike] = Settable(
        _header.PROP_BACKUP_PATH, "Existing folder that receives the backup. Required to back up."
    )
    restore_path: Settable[_values.PathLike] = Settable(
        _header.PROP_RESTORE_PATH, "Folder that holds the backup. Required to restore."
    )

    def __init__(
        self,
        client: "Client",
        *,
        backup_path: Optional[_values.PathLike] = None,
        restore_path: Optional[_values.PathLike] = None,
    ) -> None:
        super().__init__(client, "wm_create_backup_restorer")
        with self._closed_if_it_fails():
            if backup_path is not None:
                self.backup_path = backup_path
            if restore_path is not None:
                self.restore_path = restore_path

    def backup_licenses(self, *, overwrite: bool = False) -> Operation:
        """Backs up all licenses that may leave the device to `backup_path`; an older backup stays until the new one is whole.

        Tells `Status.RESTRICTED_LICENSE` per license that may not be backed up, and `Status.PROGRESS`. Raises `StorageError`,
        `Result.E_BACKUP_EXISTS` where there is one and `overwrite` is not said: at the call or at the end.
        """
        return self._run("wm_backup_licenses", _header.BACKUP_OVERWRITE if overwrite else 0)

    def restore_licenses(self, *, individualize: bool = False) -> Operation:
        """Restores the backup in `restore_path`, in one step or not at all; on another device through its service.

        individualize: first, where it is needed; the user agreed. `Outcome.is_partial` tells that something was left out;
        `Status.LICENSE_REFUSED` per license and `Status.SECTION_CLOSED` per reason tell why, `Status.ERROR_WITHURL` has a page.
        """
        return self._run("wm_restore_licenses", _header.RESTORE_INDIVIDUALIZE if individualize else 0)

    def preview_restore(self) -> Operation:
        """Tells what a restore would do, and does nothing: `Status.RESTORE_VERDICT` per license, with its result.

        Of very many licenses iterate over the operation: events that are iterated over are not kept.
        """
        return self._run("wm_preview_restore")

    def verify_backup(self) -> Operation:
        """Reads the backup in `restore_path` to its end, changing nothing; `Result.S_BACKUP_CLOSED` if a part opens elsewhere."""
        return self._run("wm_verify_backup")

    def _run(self, verb: str, *flags: int) -> Operation:
        return self._start(Status.BACKUPRESTORE_END, verb, *flags)


class StoreKeeper(VerbObject):
    """Looks after the license store. No verb makes a network call."""

    def __init__(self, client: "Client") -> None:
        super().__init__(client, "wm_create_store_keeper")

    def check_store(self, *, repair: bool = False) -> Operation:
        """Checks the whole store; `Status.DAMAGED_LICENSE` per damaged license. repair: takes those out of use.

        Ends with `Result.S_OK` if it is sound, `Result.S_STORE_REPAIRED` if it was not and is.
        """
        return self._start(Status.STORE_CHECKED, "wm_check_store", _header.CHECK_REPAIR if repair else 0)

    def clean_license_store(self) -> Operation:
        """Removes licenses that can never be used again, and gives their room back. Once a month is plenty."""
        return self._start(Status.STORE_CLEANED, "wm_clean_license_store", _header.CLEAN_ASYNC)


class RevocationAgent(AskingObject):
    """Learns from the issuer which licenses its owner took back, removes them for good, and tells the issuer so."""

    def __init__(self, client: "Client") -> None:
        super().__init__(client, "wm_create_revocation_agent")

    def refresh_revocations(self) -> Operation:
        """Asks the client's service what was taken back, takes it and acknowledges it."""
        return self._start(Status.REVOCATIONS_REFRESHED, "wm_refresh_revocations")

    def get_lrb_challenge(self, machine_id: Optional["Buffer"] = None) -> bytes:
        """The signed challenge to carry to the service's /v1/revocations; machine_id: None for the device's own ID."""
        named = None if machine_id is None else _values.data(machine_id, "machine_id")
        return read("wm_get_lrb_challenge", self._handle, named, len(named or b""), room=_CHALLENGE)[1]

    def process_lrb(self, lrb: "Buffer") -> bytes:
        """Takes a license revocation blob: removes what it takes back, durably; answers the acknowledgement to send back."""
        blob = _values.data(lrb, "lrb")
        return read("wm_process_lrb", self._handle, blob, len(blob), room=_CHALLENGE)[1]
