"""The client: one license store, one device, and what is asked of stored licenses."""

from __future__ import annotations

import threading
import weakref
from ctypes import byref, c_uint32, sizeof
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Iterable, Optional, Tuple, Union

from . import _header, _values
from ._constants import Action, ClockVerdict, LicenseStateCategory, Reason
from ._library import call, read_text
from ._object import Object, Readable, Settable, create, deadline_property, retry_limit_property
from ._pump import Pump
from ._results import Result
from .errors import CallError
from .kids import Kid, kid_bytes
from .licenses import LicenseEnumerator


@dataclass(frozen=True)
class LicenseState:
    """What is left of an action by all licenses of a key ID together."""

    #: What limits it.
    category: LicenseStateCategory
    #: Uses left.
    counts: Tuple[int, ...] = ()
    #: Begin, end, or both, as the category says.
    dates: Tuple[datetime, ...] = ()
    #: How long from the first use on, where that did not happen yet.
    after_first_use: Optional[timedelta] = None
    #: Further licenses apply; this is what the one permits that is used first.
    vague: bool = False


class Client(Object):
    """One license store, one device, and the settings of everything that is made from it.

    It opens the store, and makes it in an empty folder, when it is created; that uses no network and waits ten seconds at most
    for another process that holds the store. Properties that are set later apply to operations that start later.

    store_path: folder of the license store; its last component is created. authority: base64 SHA-256 of each trusted authority
    certificate, what `wmlicensed init` printed. key_protector: how device keys are kept, "file" where left out. Everything else may
    be left out as well; the properties of the same name tell more.
    Raises `StorageError` where the store cannot be opened, `CallError` for a value that is not acceptable.

    `close`, or the end of a `with` statement, cancels what runs, waits until it has ended, and closes everything that was made
    from this client. `aclose` and `async with` do so without blocking the event loop. In a forked child everything raises
    `Forked`; closing is allowed there and does nothing.
    """

    service_url: Settable[str] = Settable(_header.PROP_SERVICE_URL, "Base URL of the service.")
    application_id: Settable[str] = Settable(
        _header.PROP_APPLICATION_ID, "Name of the application, told to the service and compared with its status list."
    )
    device_name: Settable[str] = Settable(
        _header.PROP_DEVICE_NAME, "What the user calls this device, at most 64 characters; an empty one takes the name away."
    )
    security_level: Settable[int] = Settable(_header.PROP_SECURITY_LEVEL, "Level of the application; 0 where unset.")
    user_agent: Settable[str] = Settable(_header.PROP_USER_AGENT, "User-Agent of HTTP requests.")
    tls_trust: Settable[str] = Settable(
        _header.PROP_TLS_TRUST, "Which TLS certificates are trusted: default, platform, bundled, pem or pinned."
    )
    tls_ca_pem: Settable[str] = Settable(_header.PROP_TLS_CA_PEM, "Certificates of authorities in PEM.")
    proxy: Settable[str] = Settable(_header.PROP_PROXY, "URL of an HTTP proxy, none, or environment, the default.")
    allow_http: Settable[bool] = Settable(_header.PROP_ALLOW_HTTP, "Plain HTTP to other hosts than this one; no where unset.")
    offline_only: Settable[bool] = Settable(_header.PROP_OFFLINE_ONLY, "No operation opens a connection; no where unset.")
    deadline = deadline_property()
    retry_limit = retry_limit_property()
    store_path: Readable[str] = Readable(_header.PROP_STORE_PATH, "Folder of the license store.")
    authority: Readable[str] = Readable(_header.PROP_AUTHORITY, "The trusted authorities, semicolons between.")
    device_id: Readable[str] = Readable(
        _header.PROP_DEVICE_ID, "Base64 ID that the service gave to the device; None before it is individualized."
    )

    def __init__(
        self,
        store_path: _values.PathLike,
        *,
        authority: Union[str, Iterable[str]],
        service_url: Optional[str] = None,
        account_token: Optional[str] = None,
        application_id: Optional[str] = None,
        device_name: Optional[str] = None,
        security_level: Optional[int] = None,
        user_agent: Optional[str] = None,
        tls_trust: Optional[str] = None,
        tls_ca_pem: Optional[str] = None,
        proxy: Optional[str] = None,
        allow_http: Optional[bool] = None,
        offline_only: Optional[bool] = None,
        deadline: Optional[float] = None,
        retry_limit: Optional[int] = None,
        key_protector: Optional[str] = None,
    ) -> None:
        super().__init__(create("wm_create_client"))
        self._parts: "weakref.WeakSet[Object]" = weakref.WeakSet()
        self._closing = threading.RLock()
        with self._closed_if_it_fails():
            # Before anything can be made from it.
            self._pump = Pump(self._handle)
            self.set_prop(_header.PROP_STORE_PATH, store_path)
            self.set_prop(_header.PROP_AUTHORITY, authority if isinstance(authority, str) else ";".join(authority))
            if key_protector is not None:
                self.set_prop(_header.PROP_KEY_PROTECTOR, key_protector)
            given = {
                "service_url": service_url,
                "account_token": account_token,
                "application_id": application_id,
                "device_name": device_name,
                "security_level": security_level,
                "user_agent": user_agent,
                "tls_trust": tls_trust,
                "tls_ca_pem": tls_ca_pem,
                "proxy": proxy,
                "allow_http": allow_http,
                "offline_only": offline_only,
                "deadline": deadline,
                "retry_limit": retry_limit,
            }
            for name, value in given.items():
                if value is not None:
                    setattr(self, name, value)
            call("wm_open_client", self._handle)

    @property
    def account_token(self) -> Optional[str]:
        """Names the user's account to the service. It can only be set; None takes it away."""
        raise AttributeError("account_token can only be set")

    @account_token.setter
    def account_token(self, value: Optional[str]) -> None:
        if value is not None:
            self.set_prop(_header.PROP_ACCOUNT_TOKEN, value)
        else:
            self.remove_prop(_header.PROP_ACCOUNT_TOKEN)

    @property
    def individualized(self) -> bool:
        """Whether the device has a certificate."""
        return bool(self._look_up(_header.PROP_INDIVIDUALIZED))

    @property
    def security_version(self) -> str:
        """Security version of the device, four dotted numbers; 0.0.0.0 before it is individualized."""
        return read_text("wm_get_security_version", self._handle)[1]

    @property
    def clock_verdict(self) -> ClockVerdict:
        """What the clock is worth for licenses with dates."""
        return ClockVerdict(self._look_up(_header.PROP_CLOCK_VERDICT))

    @property
    def pending_transactions(self) -> int:
        """Requests that wait to be sent again."""
        return int(self._look_up(_header.PROP_PENDING_TRANSACTIONS))

    # --- stored licenses

    def licenses(
        self,
        *,
        kid: Optional[Kid] = None,
        action: Optional[str] = None,
        issuer: Optional[str] = None,
        expiring_before: Optional[_values.Time] = None,
    ) -> LicenseEnumerator:
        """Iterates over the stored licenses in the order of their key IDs; nothing of the store is locked meanwhile.

        kid: only those of this key ID. action: only those that name this action. issuer: only those of this issuer, base64.
        expiring_before: only those whose rights end before then, an aware datetime or seconds UTC.
        """
        return LicenseEnumerator(self, kid=kid, action=action, issuer=issuer, expiring_before=expiring_before)

    def query_action_allowed(self, kid: Kid, action: str = Action.PLAY) -> Reason:
        """Tells whether a stored license permits an action: `Reason(0)`, which is false, if so, else the reasons why not.

        No network call, and no license changes.
        """
        reasons = c_uint32()
        named = _values.text(action, "action")
        call("wm_query_action_allowed", self._handle, kid_bytes(kid), named, byref(reasons))
        return Reason(reasons.value)

    def query_license_state(self, kid: Kid, action: str = Action.PLAY) -> LicenseState:
        """Tells what is left of an action. No network call, and no license changes."""
        state = _header.wm_license_state(struct_size=sizeof(_header.wm_license_state))
        named = _values.text(action, "action")
        call("wm_query_license_state", self._handle, kid_bytes(kid), named, byref(state))
        dates = (_values.as_datetime(seconds) for seconds in state.dates[: state.date_count])
        span = state.seconds_after_first_use
        return LicenseState(
            LicenseStateCategory(state.category),
            tuple(state.counts[: state.count_count]),
            tuple(date for date in dates if date is not None),
            timedelta(seconds=min(span, int(timedelta.max.total_seconds()) - 1)) if span else None,
            bool(state.vague & _header.LICENSE_STATE_VAGUE),
        )

    def delete_licenses(self, kid: Kid, *, local: bool = False) -> bool:
        """Deletes the licenses of a key ID; answers whether there were any. Makes no network call.

        For good, and the service is told with the next acquisition or renewal; with `local` from this device only.
        """
        flags = _header.DELETE_LOCAL if local else 0
        return call("wm_delete_licenses", self._handle, kid_bytes(kid), flags) == Result.S_OK

    def set_content_title(self, kid: Kid, title: str) -> None:
        """Gives the content with this key ID a title, at most 1024 bytes of UTF-8; an empty one takes it away."""
        call("wm_set_content_title", self._handle, kid_bytes(kid), _values.text(title, "title"))

    def get_content_title(self, kid: Kid) -> Optional[str]:
        """The title of the content with this key ID: the application's, else the one that came with a license."""
        result, title = read_text("wm_get_content_title", self._handle, kid_bytes(kid))
        return None if result == Result.S_FALSE else title

    # --- events in loops of others

    def fileno(self) -> int:
        """A descriptor that is readable exactly while events wait, for loops of other kinds (GLib, Qt); see `read_events`."""
        self._pump.check()
        return self._pump.descriptor

    def read_events(self) -> None:
        """Puts the events that wait to their operations, whose `done` and `wait(0)` then tell. Never waits."""
        self._pump.check()
        self._pump.read()

    # --- the end

    def _adopt(self, part: Object) -> None:
        """Closes an object together with this client."""
        self._parts.add(part)

    def close(self) -> None:
        """Cancels what runs, waits until it has ended, closes everything made from this client. May be called again."""
        pump: Optional[Pump] = getattr(self, "_pump", None)
        if pump is not None and pump.runs_here():
            # One thread closes; the others return when that is done.
            with self._closing:
                if pump.runs_here():
                    self._close_parts(pump)
        elif pump is not None:
            pump.close()
        super().close()

    def _close_parts(self, pump: Pump) -> None:
        for operation in pump.unfinished():
            operation.cancel()
        for part in [*pump.objects.values(), *self._parts]:
            part.close()
        try:
            pump.wait(lambda: all([operation._is_over() for operation in pump.unfinished()]), None)
        except CallError:
            # A signal handler has closed the client meanwhile, in this very thread.
            if pump.runs_here():
                raise
        pump.close()

    async def aclose(self) -> None:
        """The same without blocking the event loop while operations end."""
        if self._pump.runs_here():
            for operation in self._pump.unfinished():
                await operation.stop()
        self.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.aclose()
