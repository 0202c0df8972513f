"""Content headers, and samples that are decrypted in the caller's own buffers; `openssl` is the other cipher."""

from __future__ import annotations

import array
import mmap
import os
import shutil
import subprocess
import threading
import unittest
from typing import List, Tuple, Type
from uuid import UUID

from wmlicense import (
    ContentError,
    ContentHeader,
    Decryptor,
    Expired,
    KidForm,
    NotLicensed,
    Reason,
    Result,
    RightsError,
    Sample,
    Scheme,
    StorageError,
    is_content_protected,
    kid_from_text,
    kid_to_text,
)

from support import DEMANDING, ENDED, MEDIA, PICTURE, PICTURE_KEY, TO_COME, TONE, TWICE, UNKNOWN, Case, acquire, title

IV = bytes(range(16))


def encrypted(clear: bytes, mode: str) -> bytes:
    """What `openssl` makes of it with the key of the picture."""
    command = ["openssl", "enc", f"-aes-128-{mode}", "-nopad", "-K", PICTURE_KEY.hex(), "-iv", IV.hex()]
    return subprocess.run(command, input=clear, stdout=subprocess.PIPE, check=True).stdout


class Headers(Case):
    def test_a_file_tells_its_protection(self) -> None:
        with ContentHeader.from_file(MEDIA / "packager-cbcs-video.mp4") as header:
            self.assertEqual(header.kids, (PICTURE, TONE))
            self.assertEqual((header.scheme, header.notes, header.custom), ("cbcs", (), {}))
            self.assertIn(UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"), header.systems)
        self.assertTrue(is_content_protected(MEDIA / "packager-cbcs-video.mp4"))
        self.assertFalse(is_content_protected(str(MEDIA / "src.mp4")))

    def test_bytes_of_every_kind_of_buffer_are_read(self) -> None:
        content = b'{"kids":["oaKjpLGywcLR0tPU1dbX2A"]}'
        for data in (content, bytearray(content), memoryview(content), array.array("B", content)):
            with ContentHeader(data) as header:
                self.assertEqual(header.kids, (PICTURE,))

    def test_what_cannot_be_read_names_the_place(self) -> None:
        for content in (b"", b"neither one nor the other", b"\0\0\0\x10pssh\0"):
            with self.assertRaises(ContentError) as failed:
                ContentHeader(content)
            self.assertGreater(len(failed.exception.message), 10)
        with self.assertRaises(StorageError):
            ContentHeader.from_file(self.folder / "missing")
        with self.assertRaises(StorageError):
            is_content_protected(os.fsencode(self.folder))

    def test_key_ids_are_read_and_written_in_every_form(self) -> None:
        for text in ("a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8", "{A1A2A3A4-B1B2-C1C2-D1D2-D3D4D5D6D7D8}", "oaKjpLGywcLR0tPU1dbX2A=="):
            self.assertEqual(kid_from_text(text), PICTURE)
        self.assertEqual(kid_to_text(PICTURE), "oaKjpLGywcLR0tPU1dbX2A==")
        self.assertEqual(kid_to_text(PICTURE.bytes, KidForm.HEX), PICTURE.hex)
        self.assertEqual(kid_to_text(str(PICTURE), KidForm.UUID), str(PICTURE))
        turned = kid_to_text(PICTURE, KidForm.UUID, guid_order=True)
        self.assertEqual(UUID(turned).bytes, PICTURE.bytes_le)
        self.assertEqual(kid_from_text(turned, KidForm.UUID, guid_order=True), PICTURE)
        for wrong in ("", "a1", "oaKjpLGywcLR0tPU1dbX2A== "):
            with self.raises(Result.E_BAD_VALUE):
                kid_from_text(wrong)


class Decrypting(Case):
    def setUp(self) -> None:
        super().setUp()
        self.assertIsNotNone(shutil.which("openssl"), "openssl is missing: run ci/install.sh")
        self.opened = self.device()
        acquire(self.opened, [PICTURE])

    def test_every_writable_buffer_is_decrypted_in_place(self) -> None:
        clear = os.urandom(5000)
        secret = encrypted(clear, "ctr")
        mapped = mmap.mmap(-1, len(secret))
        mapped.write(secret)
        whole = bytearray(b"before" + secret + b"behind")
        part = memoryview(whole)[6:-6]
        with Decryptor(self.opened, PICTURE) as decryptor:
            for data in (bytearray(secret), array.array("B", secret), array.array("Q", secret), mapped, part):
                decryptor.decrypt(data, Sample(IV))
                self.assertEqual(memoryview(data).tobytes(), clear)
        self.assertEqual((whole[:6], whole[-6:]), (b"before", b"behind"))

    def test_a_sample_is_decrypted_into_another_buffer(self) -> None:
        clear = os.urandom(100)
        secret = encrypted(clear, "ctr")
        target = bytearray(b"\xee" * 120)
        with Decryptor(self.opened, PICTURE) as decryptor:
            self.assertEqual(decryptor.decrypt_into(memoryview(target)[10:], secret, Sample(IV)), 100)
            self.assertEqual(target[10:110], clear)
            self.assertEqual(target[:10] + target[110:], b"\xee" * 20)
            with self.assertRaises(ValueError):
                decryptor.decrypt_into(bytearray(99), secret, Sample(IV))
            with self.assertRaises(TypeError):
                decryptor.decrypt_into(bytes(100), secret, Sample(IV))

    def test_subsamples_patterns_and_schemes_are_those_of_the_container(self) -> None:
        clear = os.urandom(32)
        split = bytearray(b"clear" + encrypted(clear, "ctr")[:20] + b"open" + encrypted(clear, "ctr")[20:])
        pattern = os.urandom(16 * 10)
        cbcs = bytearray(encrypted(pattern[:16], "cbc") + pattern[16:])
        with Decryptor(self.opened, PICTURE) as decryptor:
            decryptor.decrypt(split, Sample(IV, [(5, 20), (4, 12)]))
            self.assertEqual(split, b"clear" + clear[:20] + b"open" + clear[20:])
            decryptor.decrypt(cbcs, Sample(IV, [(0, 160)], Scheme.CBCS, crypt_byte_block=1, skip_byte_block=9))
            self.assertEqual(cbcs, pattern)
            short = bytearray(encrypted(clear, "ctr"))
            with self.raises(Result.E_UNSUPPORTED_ALGORITHM):
                decryptor.decrypt(short, Sample(IV, scheme=0x12345678))
            for sample in (Sample(IV, [(0, 33)]), Sample(b"short"), Sample(bytes(1000))):
                with self.raises(Result.E_INVALID_DATA):
                    decryptor.decrypt(short, sample)
            self.assertEqual(short, encrypted(clear, "ctr"))

    def test_what_is_no_writable_contiguous_buffer_is_refused(self) -> None:
        with Decryptor(self.opened, PICTURE) as decryptor:
            for data in (bytes(16), memoryview(bytes(16)), memoryview(bytearray(32))[::2], "text", 16, None):
                with self.assertRaises(TypeError):
                    decryptor.decrypt(data, Sample(IV))  # type: ignore[arg-type]
            for sample in (None, IV, Sample("text"), Sample(IV, [1]), Sample(IV, [("a", 1)])):  # type: ignore[arg-type, list-item]
                with self.assertRaises(TypeError):
                    decryptor.decrypt(bytearray(16), sample)  # type: ignore[arg-type]
            for sample in (Sample(IV, [(1 << 32, 0)]), Sample(IV, [(0, -1)]), Sample(IV, scheme=1 << 40)):
                with self.assertRaises(OverflowError):
                    decryptor.decrypt(bytearray(16), sample)
            decryptor.decrypt(bytearray(), Sample(IV))

    def test_threads_share_one_decryptor(self) -> None:
        clear = os.urandom(1 << 20)
        secret = encrypted(clear, "ctr")
        right: List[bool] = []

        def decrypt(decryptor: Decryptor) -> None:
            for _round in range(10):
                data = bytearray(secret)
                decryptor.decrypt(data, Sample(IV))
                right.append(data == clear)

        with Decryptor(self.opened, PICTURE) as decryptor:
            threads = [threading.Thread(target=decrypt, args=[decryptor]) for _thread in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(right, [True] * 40)


class Rights(Case):
    def test_what_is_not_permitted_raises_what_it_is(self) -> None:
        client = self.device()
        acquire(client, [TWICE, ENDED, TO_COME, DEMANDING])
        cases: List[Tuple[UUID, str, Type[RightsError], Result, Reason]] = [
            (UNKNOWN, "Play", NotLicensed, Result.E_LICENSE_REQUIRED, Reason.NO_LICENSE),
            (ENDED, "Play", Expired, Result.E_LICENSE_OUTOFDATE, Reason.EXPIRED),
            (TO_COME, "Play", RightsError, Result.E_LICENSE_NOTENABLED, Reason.NOT_STARTED),
            (DEMANDING, "PlaylistBurn", RightsError, Result.E_LICENSE_APPSECLOW, Reason.APPSEC_TOO_LOW),
            (TWICE, "Copy", RightsError, Result.E_LICENSE_INCORRECT_RIGHTS, Reason.NO_RIGHT),
        ]
        for kid, action, kind, result, reason in cases:
            with self.assertRaises(kind) as failed:
                Decryptor(client, kid, action)
            self.assertEqual(failed.exception.result, result)
            self.assertEqual(client.query_action_allowed(kid, action), reason | Reason.NOT_ENABLED)

    def test_each_decryptor_is_one_use_however_many_samples_it_decrypts(self) -> None:
        client = self.device()
        acquire(client, [TWICE])
        for left in (1, 0):
            with Decryptor(client, TWICE) as decryptor:
                for _sample in range(3):
                    decryptor.decrypt(bytearray(16), Sample(IV))
            self.assertEqual(next(iter(client.licenses(kid=TWICE))).counts_left, left)
        with self.raises(Result.E_USED_UP):
            Decryptor(client, TWICE)

    def test_the_policy_tells_what_it_demands_of_outputs(self) -> None:
        client = self.device()
        acquire(client, [DEMANDING, title(1)])
        with Decryptor(client, DEMANDING) as demanding, Decryptor(client, title(1)) as free:
            self.assertEqual((demanding.output_protection, free.output_protection), (b"hdcp >= 2", None))
            with self.assertRaises(AttributeError):
                free.output_protection = b"none"


if __name__ == "__main__":
    unittest.main()
