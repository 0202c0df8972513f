"""What content says about its protection."""

from __future__ import annotations

from ctypes import byref, c_bool
from typing import TYPE_CHECKING, Dict, Optional, Tuple, Type, TypeVar
from uuid import UUID

from . import _header, _values
from ._library import call
from ._object import Object, Readable, create
from .kids import kid_of_base64

if TYPE_CHECKING:
    from typing_extensions import Buffer

H = TypeVar("H", bound="ContentHeader")
_NAMED = frozenset(
    {
        _header.PROP_KIDS,
        _header.PROP_LICENSE_URL,
        _header.PROP_SCHEME,
        _header.PROP_SYSTEM,
        _header.PROP_CONTENT_ID,
        _header.PROP_SECURITY_VERSION,
        _header.PROP_NOTES,
    }
)


class ContentHeader(Object):
    """What content says about its protection, read once from bytes or with `from_file` from a file. Needs no client.

    data: the header of an MP4, WebM or ASF file, `pssh` boxes, a PlayReady Object, a WRMHEADER, W3C initialization data, an HLS
    playlist or its key tags, a DASH or Smooth Streaming manifest or its protection elements. Raises `ContentError` where it
    cannot be read; the message names byte and field.
    """

    license_url: Readable[str] = Readable(
        _header.PROP_LICENSE_URL, "Where the content says that licenses are acquired. Untrusted: ask the user before opening it."
    )
    scheme: Readable[str] = Readable(_header.PROP_SCHEME, "Four characters, such as cenc or cbcs.")
    content_id: Readable[str] = Readable(_header.PROP_CONTENT_ID, "The owner's name of the content.")
    security_version: Readable[str] = Readable(
        _header.PROP_SECURITY_VERSION, "The one that Windows Media DRM content asks for, dotted numbers."
    )

    def __init__(self, data: "Buffer") -> None:
        content = _values.data(data, "data")
        self._read(create("wm_create_content_header", content, len(content)))

    @classmethod
    def from_file(cls: Type[H], path: _values.PathLike) -> H:
        """Reads a regular file; media data is skipped. Raises `StorageError` where it cannot be opened, else as the class."""
        header = cls.__new__(cls)
        header._read(create("wm_create_content_header_from_file", _values.path(path, "path")))
        return header

    def _read(self, handle: int) -> None:
        Object.__init__(self, handle)

    @property
    def kids(self) -> Tuple[UUID, ...]:
        """The key IDs that it names."""
        return tuple(kid_of_base64(kid) for kid in _values.split(self._look_up(_header.PROP_KIDS)))

    @property
    def systems(self) -> Tuple[UUID, ...]:
        """The protection systems that it names, each once."""
        return tuple(UUID(system) for system in _values.split(self._look_up(_header.PROP_SYSTEM)))

    @property
    def notes(self) -> Tuple[str, ...]:
        """What of the content's protection could not be read although the rest could, a sentence each."""
        return tuple((self._look_up(_header.PROP_NOTES) or "").splitlines())

    @property
    def custom(self) -> Dict[str, str]:
        """Elements of the content's owner under their own names."""
        names = (name for name in self.prop_names() if name not in _NAMED)
        return {name: str(self.get_prop(name)) for name in names}


def is_content_protected(path: _values.PathLike) -> bool:
    """Tells whether a media file, playlist or manifest needs a license to be played. Raises as `ContentHeader.from_file`."""
    protected = c_bool()
    call("wm_is_content_protected", _values.path(path, "path"), byref(protected))
    return protected.value
