"""What all objects have: a handle that is given back once, and properties."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager
from ctypes import byref, c_int32, c_size_t, c_void_p
from typing import Any, Generic, Iterator, List, Optional, Type, TypeVar, Union, overload

from . import _header, _values
from ._library import call, library, read, read_text
from ._results import Result
from .errors import CallError, WmError

Value = Union[bool, int, str, bytes]
Self = TypeVar("Self", bound="Object")
T = TypeVar("T")


class _Gone(threading.Event):
    """Set when the library has let go of an object."""

    #: The thread that gives it back.
    by: Optional[int] = None


def _release(handle: int, gone: _Gone) -> None:
    gone.by = threading.get_ident()
    try:
        library().wm_release(handle)
    finally:
        gone.set()


def create(name: str, *arguments: Any) -> int:
    """Calls a function that creates an object; answers the handle."""
    handle = c_void_p()
    call(name, *arguments, byref(handle))
    return handle.value or 0


def of_client(client: Any) -> Any:
    """A client from which something is to be made."""
    if getattr(client, "_pump", None) is None:
        raise TypeError(f"client must be Client, not {type(client).__name__}")
    return client


class Object:
    """An object of the library. Use it in a `with` statement, or call `close`; garbage collection closes it as well.

    Any number of threads may use it. After `close`, in whatever thread, every call raises `CallError` with
    `Result.E_INVALID_HANDLE`.
    """

    def __init__(self, handle: int) -> None:
        # A handle is never given out twice by the library, so a closed object may keep its own: it is refused there.
        self._handle = handle
        self._gone = _Gone()
        self._finalizer = weakref.finalize(self, _release, handle, self._gone)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return not self._finalizer.alive

    def close(self) -> None:
        """Gives the object back. What it still does is cancelled, and has ended when this returns. May be called again."""
        # Before it is begun: a signal handler comes between any two steps.
        self._gone.by = self._gone.by or threading.get_ident()
        self._finalizer()
        if self._gone.by == threading.get_ident():
            # Nothing new, unless a signal handler interrupted this thread at it: that would wait for itself.
            library().wm_release(self._handle)
        else:
            # Another thread may be at it.
            self._gone.wait()

    @contextmanager
    def _closed_if_it_fails(self) -> Iterator[None]:
        """Of a constructor: an object that nobody gets is not left to garbage collection."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<wmlicense.{type(self).__name__}{' (closed)' if self.closed else ''} at {id(self):#x}>"

    def get_prop(self, name: str) -> Value:
        """Reads a property by the name that it has in the header of C, such as "ServiceURL".

        Numbers are int, BOOL is bool, STRING is str (bytes of paths survive as `os.fsdecode` has it), BINARY is bytes. Raises
        `CallError` (`Result.E_UNSUPPORTED_PROPERTY`) where the object has no such property or it has no value.
        """
        kind = c_int32()
        _result, value = read("wm_get_prop", self._handle, _values.text(name, "name"), byref(kind))
        if kind.value == _header.TYPE_STRING:
            return os.fsdecode(value[:-1])
        if kind.value == _header.TYPE_BINARY:
            return value
        number = int.from_bytes(value, "little" if _LITTLE else "big")
        return bool(number) if kind.value == _header.TYPE_BOOL else number

    def set_prop(self, name: str, value: Union[Value, "os.PathLike[str]", "os.PathLike[bytes]"]) -> None:
        """Sets a property: int, bool, str, a path, or bytes for BINARY. What is set is copied.

        Raises `CallError` for a name or value that the object does not take, `Busy` while an operation runs, `StateError` where
        it is too late.
        """
        key = _values.text(name, "name")
        if name in _PATHS or isinstance(value, os.PathLike):
            path = _values.path(value, name)  # type: ignore[arg-type]  # refuses what is none
            call("wm_set_prop", self._handle, key, _header.TYPE_STRING, path, len(path))
        elif isinstance(value, bool):
            call("wm_set_bool_prop", self._handle, key, value)
        elif isinstance(value, int):
            call("wm_set_number_prop", self._handle, key, _values.number(value, name, largest=_values.UINT64))
        elif isinstance(value, str):
            call("wm_set_string_prop", self._handle, key, _values.text(value, name))
        else:
            content = _values.data(value, name)
            call("wm_set_prop", self._handle, key, _header.TYPE_BINARY, content, len(content))

    def remove_prop(self, name: str) -> None:
        """Removes a property's value; a default applies again. Raises `CallError` if there is none."""
        call("wm_remove_prop", self._handle, _values.text(name, "name"))

    def remove_all_props(self) -> None:
        """Removes every value that may be removed at present. Raises `Busy` while an operation runs."""
        call("wm_remove_all_props", self._handle)

    def prop_names(self) -> List[str]:
        """Names of the properties that can be read at present."""
        count, names = c_size_t(), []
        call("wm_get_prop_count", self._handle, byref(count))
        for index in range(count.value):
            try:
                names.append(read_text("wm_get_prop_name", self._handle, index)[1])
            except CallError as error:
                # A value went meanwhile.
                if error.result != Result.E_INVALIDARG:
                    raise
        return names

    def _look_up(self, name: str) -> Any:
        """The value of a property, None where it has none."""
        try:
            return self.get_prop(name)
        except WmError as error:
            if error.result != Result.E_UNSUPPORTED_PROPERTY:
                raise
            return None


_LITTLE = memoryview(b"\1\0").cast("H")[0] == 1
_PATHS = frozenset({_header.PROP_STORE_PATH, _header.PROP_BACKUP_PATH, _header.PROP_RESTORE_PATH})


class Readable(Generic[T]):
    """A property that can be read; None where it has no value."""

    def __init__(self, name: str, doc: str) -> None:
        self.name = name
        self.__doc__ = doc

    @overload
    def __get__(self, instance: None, owner: Type[Object]) -> "Readable[T]": ...
    @overload
    def __get__(self, instance: Object, owner: Type[Object]) -> Optional[T]: ...

    def __get__(self, instance: Optional[Object], owner: Type[Object]) -> Union["Readable[T]", Optional[T]]:
        if instance is None:
            return self
        found: Optional[T] = instance._look_up(self.name)
        return found

    def __set__(self, instance: Object, value: Optional[T]) -> None:
        raise AttributeError(f"{self.name} can only be read")


class Settable(Readable[T]):
    """A property that can be set; None takes its value away, so that a default applies."""

    def __set__(self, instance: Object, value: Optional[T]) -> None:
        if value is not None:
            instance.set_prop(self.name, value)  # type: ignore[arg-type]  # every T is one of its types
            return
        try:
            instance.remove_prop(self.name)
        except CallError as error:
            # It has no value anyway.
            if error.result != Result.E_UNSUPPORTED_PROPERTY:
                raise


class Seconds(Readable[float]):
    """A property in milliseconds, in seconds here."""

    def __get__(self, instance: Any, owner: Type[Object]) -> Any:
        found = super().__get__(instance, owner)
        return found / 1000 if isinstance(found, int) else found

    def __set__(self, instance: Object, value: Optional[float]) -> None:
        instance.set_prop(self.name, 0 if value is None else _values.milliseconds(value, self.name))


def deadline_property() -> Seconds:
    """The property that every object with a background verb has, and the client for all of them."""
    doc = "Seconds until an operation that asks a service gives up. None or 0: two minutes for each request."
    return Seconds(_header.PROP_DEADLINE_MS, doc)


def retry_limit_property() -> Settable[int]:
    """The other one."""
    return Settable(_header.PROP_RETRY_LIMIT, "Repetitions of a failed request; 4 where unset.")
