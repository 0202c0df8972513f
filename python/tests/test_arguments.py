"""Arguments that Python takes and C would cut off, misread or crash on: refused before the library sees them."""

from __future__ import annotations

import unittest
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any, Callable, List

import wmlicense
from wmlicense import BackupRestorer, Client, ContentHeader, LicenseRequest, Result, RevocationAgent

from support import AUTHORITY, PATIENCE, URL, Case, silent_service, title


class Arguments(Case):
    def setUp(self) -> None:
        super().setUp()
        self.opened: Any = self.client()
        self.request: Any = self._stack.enter_context(LicenseRequest(self.opened))

    def refused(self, kind: type, calls: List[Callable[[], object]]) -> None:
        for number, call in enumerate(calls):
            with self.subTest(number), self.assertRaises(kind):
                call()

    def test_wrong_types_are_type_errors(self) -> None:
        client, request = self.opened, self.request
        anything: Any = object()
        self.refused(
            TypeError,
            [
                lambda: Client(7, authority=AUTHORITY),  # type: ignore[arg-type]
                lambda: Client(self.folder, authority=None),  # type: ignore[arg-type]
                lambda: Client(self.folder, authority=[7]),  # type: ignore[list-item]
                lambda: Client(self.folder),  # type: ignore[call-arg]
                lambda: client.query_action_allowed(title(1), 7),
                lambda: client.query_action_allowed(7),
                lambda: client.query_action_allowed(None),
                lambda: client.set_content_title(title(1), b"bytes"),
                lambda: client.licenses(action=b"Play"),
                lambda: client.licenses(expiring_before=1.5),
                lambda: client.licenses(expiring_before="2030"),
                lambda: client.get_prop(7),
                lambda: client.set_prop("ServiceURL", anything),
                lambda: client.set_prop(b"ServiceURL", "x"),
                lambda: setattr(client, "deadline", "2"),
                lambda: setattr(client, "deadline", True),
                lambda: setattr(request, "key_ids", title(1)),
                lambda: setattr(request, "key_ids", str(title(1))),
                lambda: setattr(request, "key_ids", [1]),
                lambda: setattr(request, "actions", "Play"),
                lambda: LicenseRequest(client, header="text"),  # type: ignore[arg-type]
                lambda: request.process_response("text"),
                lambda: ContentHeader("text"),  # type: ignore[arg-type]
                lambda: ContentHeader.from_file(7),  # type: ignore[arg-type]
                lambda: ContentHeader.from_file(PurePath),  # type: ignore[arg-type]
                lambda: BackupRestorer(client, backup_path=7),  # type: ignore[arg-type]
                lambda: wmlicense.Decryptor(client, title(1), None),  # type: ignore[arg-type]
                lambda: wmlicense.kid_from_text(b"bytes"),  # type: ignore[arg-type]
                lambda: wmlicense.kid_to_text(title(1), "hex"),  # type: ignore[arg-type]
                lambda: RevocationAgent(client).process_lrb(None),  # type: ignore[arg-type]
                lambda: wmlicense.ensure_license(client, None),  # type: ignore[arg-type]
                lambda: LicenseRequest(None),  # type: ignore[arg-type]
                lambda: wmlicense.Decryptor(self.request, title(1)),
                lambda: wmlicense.LicenseEnumerator("client"),  # type: ignore[arg-type]
            ],
        )

    def test_text_with_a_nul_is_refused_and_not_cut_off(self) -> None:
        client = self.opened
        self.refused(
            ValueError,
            [
                lambda: Client("store\0", authority=AUTHORITY),
                lambda: Client(b"store\0", authority=AUTHORITY),
                lambda: Client(self.folder, authority=AUTHORITY + "\0"),
                lambda: setattr(client, "service_url", URL + "\0/elsewhere"),
                lambda: setattr(client, "account_token", "to\0ken"),
                lambda: client.set_prop("Service\0URL", "x"),
                lambda: client.query_action_allowed(title(1), "Play\0"),
                lambda: client.set_content_title(title(1), "\0"),
                lambda: ContentHeader.from_file("a\0b"),
                lambda: wmlicense.is_content_protected(b"a\0b"),
                lambda: wmlicense.kid_from_text(f"{title(1)}\0"),
                lambda: BackupRestorer(client, backup_path="/\0"),
            ],
        )

    def test_text_that_is_no_unicode_is_refused_where_it_is_no_path(self) -> None:
        client = self.opened
        self.refused(
            UnicodeEncodeError,
            [
                lambda: setattr(client, "device_name", "\udcff"),
                lambda: client.set_content_title(title(1), "\ud800"),
                lambda: client.query_action_allowed(title(1), "\udcff"),
            ],
        )

    def test_numbers_that_do_not_fit_are_refused_and_not_cut_off(self) -> None:
        client, request = self.opened, self.request
        for huge in (1 << 64, 1 << 200, -1, -(1 << 63)):
            self.refused(
                OverflowError,
                [
                    lambda: client.set_prop("SecurityLevel", huge),
                    lambda: client.licenses(expiring_before=huge),
                    lambda: setattr(request, "expiring_within", huge),
                    lambda: wmlicense.kid_to_text(title(1), huge),  # type: ignore[arg-type]
                ],
            )
        # What is too large for a DWORD is the library's to say.
        with self.raises(Result.E_BAD_VALUE):
            client.security_level = 1 << 32
        self.refused(
            OverflowError,
            [
                lambda: setattr(client, "deadline", 1e10),
                lambda: setattr(client, "deadline", float("inf")),
                lambda: setattr(client, "deadline", -1),
                lambda: client.licenses(expiring_before=datetime(1900, 1, 1, tzinfo=timezone.utc)),
            ],
        )
        with self.assertRaises(ValueError):
            client.deadline = float("nan")

    def test_timeouts_may_be_anything_that_is_a_span(self) -> None:
        with silent_service() as service:
            self.opened.service_url = service
            with wmlicense.Individualizer(self.opened, user_consent=True) as individualizer:
                operation = individualizer.individualize()
                for timeout in (0, -5, -0.0, 1e-300, float("-inf"), False + 0):
                    with self.assertRaises(wmlicense.WaitTimeout):
                        operation.wait(timeout)
                wrong: Any
                for wrong in ("1", float, [], True):
                    with self.assertRaises(TypeError):
                        operation.wait(wrong)
                with self.assertRaises(ValueError):
                    operation.wait(float("nan"))
                operation.cancel()
                for timeout in (float("inf"), 1e300):
                    with self.assertRaises(wmlicense.Cancelled):
                        operation.wait(timeout)

    def test_an_object_whose_constructor_fails_is_closed_at_once(self) -> None:
        before = wmlicense.live_objects()
        kept: List[BaseException] = []
        makes: List[Callable[[], object]] = [
            lambda: Client(self.folder / "other", authority=AUTHORITY, deadline=-1),
            lambda: LicenseRequest(self.opened, key_ids=[b"short"]),
            lambda: LicenseRequest(self.opened, scope="\0"),
            lambda: BackupRestorer(self.opened, restore_path="\0"),
            lambda: self.opened.licenses(issuer="no base64"),
        ]
        for make in makes:
            try:
                make()
            except (ValueError, OverflowError, wmlicense.WmError) as error:
                kept.append(error)  # Its traceback keeps the half-made object.
        self.assertEqual((len(kept), wmlicense.live_objects()), (5, before))

    def test_key_ids_of_a_wrong_length_are_refused(self) -> None:
        for wrong in (b"", bytes(15), bytes(17), bytearray(3)):
            with self.assertRaises(ValueError):
                self.opened.query_action_allowed(wrong)
        for same in (title(1), title(1).bytes, bytearray(title(1).bytes), memoryview(title(1).bytes), title(1).hex, str(title(1))):
            self.request.key_ids = [same]
            self.assertEqual(self.request.key_ids, (title(1),))
        with self.raises(Result.E_BAD_VALUE):
            self.request.key_ids = ["no key ID"]

    def test_an_empty_list_is_not_taken_for_everything(self) -> None:
        self.request.key_ids = [title(1)]
        self.refused(
            ValueError,
            [
                lambda: setattr(self.request, "key_ids", []),
                lambda: setattr(self.request, "actions", ()),
                lambda: LicenseRequest(self.opened, key_ids=iter([])),
            ],
        )
        self.assertEqual(self.request.key_ids, (title(1),))
        self.request.key_ids = None
        self.assertEqual((self.request.key_ids, self.request.actions), (None, None))

    def test_values_that_only_the_library_can_judge_are_its_errors(self) -> None:
        client, request = self.opened, self.request
        for owner, name, value in (
            (client, "tls_trust", "everything"),
            (client, "service_url", ""),
            (client, "device_name", "x" * 65),
            (request, "transaction_id", "no transaction"),
        ):
            with self.subTest(name), self.raises(Result.E_BAD_VALUE):
                setattr(owner, name, value)

    def test_a_refused_argument_changes_nothing(self) -> None:
        self.request.key_ids = [title(1)]
        for wrong in ([title(2), 7], [b"short"], "text"):
            with self.assertRaises((TypeError, ValueError)):
                self.request.key_ids = wrong
        self.assertEqual(self.request.key_ids, (title(1),))
        self.assertLess(PATIENCE, 3600)


if __name__ == "__main__":
    unittest.main()
