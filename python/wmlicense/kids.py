"""Key IDs: as `uuid.UUID` in Python, as 16 bytes in C, as text of several forms elsewhere."""

from __future__ import annotations

import base64
from ctypes import create_string_buffer
from typing import Iterable, Optional, Union
from uuid import UUID

from . import _header, _values
from ._constants import KidForm
from ._library import call, read_text

#: A key ID as functions take it: a UUID, its 16 bytes, or text in any form that `kid_from_text` recognises.
Kid = Union[UUID, bytes, str]


def kid_from_text(text: str, form: Optional[KidForm] = None, *, guid_order: bool = False) -> UUID:
    """Reads a key ID from text: base64, 32 hexadecimal digits, or a UUID with or without braces.

    form: which of them it must be; None recognises it. guid_order: the text is in the order of a GUID in the memory of
    Windows, as Windows Media catalogues have it. Raises `CallError` if the text is not one whole key ID.
    """
    buffer = create_string_buffer(16)
    call("wm_kid_from_text", _values.text(text, "text"), _form(form or 0, guid_order), buffer)
    return UUID(bytes=buffer.raw)


def kid_to_text(kid: Kid, form: KidForm = KidForm.BASE64, *, guid_order: bool = False) -> str:
    """Writes a key ID as text. Digits are lower-case, a UUID has no braces. guid_order: as `kid_from_text` says."""
    return read_text("wm_kid_to_text", kid_bytes(kid), _form(form, guid_order))[1]


def _form(form: int, guid_order: bool) -> int:
    return _values.number(form, "form") | (_header.KID_GUID_ORDER if guid_order else 0)


def kid_of(kid: Kid) -> UUID:
    """The UUID of a key ID in any form."""
    if isinstance(kid, UUID):
        return kid
    if isinstance(kid, str):
        return kid_from_text(kid)
    value = _values.data(kid, "kid")
    if len(value) != 16:
        raise ValueError(f"kid has {len(value)} bytes, not 16")
    return UUID(bytes=value)


def kid_bytes(kid: Kid) -> bytes:
    """The 16 bytes that C takes."""
    return kid_of(kid).bytes


def kid_list(kids: Iterable[Kid]) -> str:
    """Key IDs as a property takes them."""
    if isinstance(kids, (str, bytes, bytearray, memoryview, UUID)):
        raise TypeError("key IDs must be a list, even if it is one")
    return ";".join(base64.b64encode(kid_bytes(kid)).decode("ascii") for kid in kids)


def kid_of_base64(text: str) -> UUID:
    """A key ID of a property or a status."""
    return UUID(bytes=base64.b64decode(text))
