"""Finds and loads the shared library, calls its functions and raises what they fail with. No object lives here."""

from __future__ import annotations

import ctypes
import os
import threading
from ctypes import byref, c_size_t, create_string_buffer, sizeof
from pathlib import Path
from typing import Any, Optional, Tuple
from uuid import UUID

from . import _header
from ._constants import Category, Remedy
from ._results import Result
from ._values import number
from .errors import ErrorDetail, WmError, error_from

_loading = threading.Lock()
_loaded: Optional[ctypes.CDLL] = None


def soname() -> str:
    """The name under which a system has the library: before 1.0 a minor release may break the interface."""
    major, minor, _patch = _header.VERSION.split(".")
    return f"libwmlicense.so.{f'0.{minor}' if major == '0' else major}"


def library_path() -> str:
    """Where the library is taken from: WMLICENSE_LIBRARY, else the one in this package, else the system's by its soname."""
    named = os.environ.get("WMLICENSE_LIBRARY")
    if named:
        return named
    bundled = Path(__file__).resolve().parent / "libwmlicense.so"
    return str(bundled) if bundled.exists() else soname()


def _load(path: str) -> ctypes.CDLL:
    try:
        loaded = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(
            f"libwmlicense cannot be loaded: {error}. Install a wheel that holds it or the library itself, or set "
            "WMLICENSE_LIBRARY to its path."
        ) from error
    for name, (answer, arguments) in _header.FUNCTIONS.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise ImportError(f"{path} lacks {name}: it is no libwmlicense, or older than {_header.VERSION}") from None
        function.restype, function.argtypes = answer, arguments
    if loaded.wm_abi_version() != _header.ABI_VERSION:
        raise ImportError(f"{path} has ABI {loaded.wm_abi_version()}; this package is for {_header.ABI_VERSION}")
    return loaded


def library() -> ctypes.CDLL:
    """The library, loaded at the first call."""
    global _loaded
    if _loaded is None:
        with _loading:
            if _loaded is None:
                _loaded = _load(library_path())
    return _loaded


def library_version() -> str:
    """Version of the library that is loaded, such as "0.1.0"."""
    return text_of(library().wm_version_string())


def live_objects() -> int:
    """Counts the objects of this process that are not closed, and those whose release is still finishing."""
    return int(library().wm_live_objects())


def text_of(value: Optional[bytes]) -> str:
    """Text of the library; bytes of paths that are no UTF-8 survive."""
    return (value or b"").decode("utf-8", "surrogateescape")


def name_of(result: int) -> str:
    """Name of a result in the header of C."""
    return text_of(library().wm_result_name(result))


def result_message(result: int) -> str:
    """What a result means, one English sentence; a `WmError` tells more."""
    return text_of(library().wm_result_message(number(result, "result", -(1 << 31), (1 << 31) - 1)))


def detail_of(result: int, url: Optional[str] = None) -> ErrorDetail:
    """What the library says about a failure of this thread's last call or event."""
    info = _header.wm_error_info(struct_size=sizeof(_header.wm_error_info))
    library().wm_get_error_info(byref(info))
    if info.result != result:
        # Nothing more is known on this thread than what is true of every failure of this number.
        return ErrorDetail(Result(result), name_of(result), result_message(result), url=url)
    return ErrorDetail(
        result=Result(result),
        name=name_of(result),
        message=text_of(info.message),
        category=Category(info.category),
        remedy=Remedy(info.remedy),
        retryable=bool(info.retryable),
        retry_after=info.retry_after_ms / 1000 if info.retry_after_ms else None,
        http_status=info.http_status or None,
        server_code=info.server_code or None,
        kid=UUID(bytes=bytes(info.kid)) if info.has_kid else None,
        request_id=text_of(info.request_id) or None,
        url=url,
    )


def error_of(result: int) -> WmError:
    """The exception for a failure of this thread's last call."""
    return error_from(detail_of(result))


def call(name: str, *arguments: Any) -> int:
    """Calls a function that answers a result; raises `WmError` if it fails. Other Python threads run meanwhile."""
    result: int = getattr(library(), name)(*arguments)
    if result < 0:
        raise error_of(result)
    return result


def read(name: str, *arguments: Any, room: int = 256) -> Tuple[int, bytes]:
    """Calls a function that fills a buffer, which comes after these arguments; answers its result and what it wrote."""
    function, needed = getattr(library(), name), c_size_t()
    while True:
        buffer = create_string_buffer(room)
        result: int = function(*arguments, buffer, room, byref(needed))
        if result == Result.E_BUFFER_TOO_SMALL and needed.value > room:
            room = needed.value
            continue
        if result < 0:
            raise error_of(result)
        return result, buffer.raw[: needed.value]


def read_text(name: str, *arguments: Any) -> Tuple[int, str]:
    """The same for text, without its NUL."""
    result, value = read(name, *arguments)
    return result, text_of(value[:-1])
