"""Decrypting samples, in place in the caller's own buffer."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char, c_char_p, c_void_p, cast, sizeof
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional, Sequence, Tuple

from . import _header, _values
from ._constants import Action, Scheme
from ._library import error_of, library
from ._object import Object, Readable, create, of_client
from .kids import Kid, kid_bytes

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .client import Client


@dataclass(frozen=True)
class Sample:
    """How a sample is encrypted, as its container tells."""

    #: Initialization vector, 8 or 16 bytes.
    iv: bytes
    #: Ranges in order, each so many bytes in the clear and so many encrypted ones after them; none: all of it is encrypted.
    subsamples: Sequence[Tuple[int, int]] = ()
    #: Scheme of the sample.
    scheme: int = Scheme.CENC
    #: Encrypted blocks of a pattern; 0 and 0 for none.
    crypt_byte_block: int = 0
    #: Clear blocks of a pattern.
    skip_byte_block: int = 0


def _sample_of(sample: Sample) -> Any:
    """The struct of C. It points to what its attribute `kept` keeps alive."""
    if not isinstance(sample, Sample):
        raise TypeError(f"sample must be Sample, not {type(sample).__name__}")
    iv, count = _values.data(sample.iv, "iv"), len(sample.subsamples)
    subsamples = (_header.wm_subsample * count)()
    for index, (clear, encrypted) in enumerate(sample.subsamples):
        subsamples[index].clear = _values.number(clear, "clear")
        subsamples[index].encrypted = _values.number(encrypted, "encrypted")
    described = _header.wm_sample(
        struct_size=sizeof(_header.wm_sample),
        iv=cast(c_char_p(iv), c_void_p),
        iv_size=len(iv),
        subsamples=ctypes.addressof(subsamples) if count else None,
        subsample_count=count,
        crypt_byte_block=_values.number(sample.crypt_byte_block, "crypt_byte_block"),
        skip_byte_block=_values.number(sample.skip_byte_block, "skip_byte_block"),
        scheme=_values.number(sample.scheme, "scheme"),
    )
    described.kept = (iv, subsamples)
    return described


class Decryptor(Object):
    """Decrypts the samples of one key ID for one action. Any number of threads may use one at the same time.

    It counts as one use, at the first sample: share it among tracks with the same key ID. Creating it makes no network call and
    raises `NotLicensed`, `Expired` or another `RightsError` where no stored license permits the action. Once the first sample
    is decrypted it stays usable until it is closed, unless the license's policy says otherwise.
    """

    output_protection: Readable[bytes] = Readable(
        _header.PROP_OUTPUT_PROTECTION, "What the policy demands of outputs, as the owner wrote it."
    )

    def __init__(self, client: "Client", kid: Kid, action: str = Action.PLAY) -> None:
        handle = of_client(client)._handle
        super().__init__(create("wm_create_decryptor", handle, kid_bytes(kid), _values.text(action, "action")))
        client._adopt(self)
        self._client = client
        self._decrypt = library().wm_decrypt_sample

    def decrypt(self, data: "Buffer", sample: Sample) -> None:
        """Decrypts a sample in place, without a copy. data: a writable, contiguous buffer: bytearray, memoryview, array, mmap.

        Other Python threads run meanwhile; none of them may touch these bytes. The first sample also commits the use durably, and
        takes as long as a disk does. Raises `TypeError` for a buffer that cannot be written, `ContentError` where the
        description does not fit, or as the class; the sample is as it was then.
        """
        view = memoryview(data)
        if view.readonly or not view.c_contiguous:
            raise TypeError("data must be a writable, contiguous buffer")
        described = _sample_of(sample)
        # A pointer to the first byte; it also holds the buffer, which keeps its place and length for as long.
        first = c_char.from_buffer(view) if view.nbytes else c_char()
        result = self._decrypt(self._handle, byref(described), byref(first), view.nbytes)
        if result < 0:
            raise error_of(result)

    def decrypt_into(self, target: "Buffer", data: "Buffer", sample: Sample) -> int:
        """Copies a sample to the beginning of `target` and decrypts it there; answers its bytes. The only copy is this one.

        Raises `ValueError` where target is shorter than data, else as `decrypt`; then target holds the sample as it was.
        """
        source, room = memoryview(data).cast("B"), memoryview(target).cast("B")
        if room.readonly:
            raise TypeError("target must be a writable, contiguous buffer")
        if room.nbytes < source.nbytes:
            raise ValueError(f"target has {room.nbytes} bytes, the sample {source.nbytes}")
        room[: source.nbytes] = source
        self.decrypt(room[: source.nbytes], sample)
        return source.nbytes
