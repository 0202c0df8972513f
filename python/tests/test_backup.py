"""Backing up, restoring here and elsewhere, previewing and verifying; paths of every kind."""

from __future__ import annotations

import os
import unittest
from pathlib import Path
from typing import List

from wmlicense import (
    BackupRestorer,
    Client,
    NeedsIndividualization,
    Remedy,
    RestoreVerdict,
    Result,
    Status,
    StorageError,
)

from support import NO_BACKUP, PATIENCE, TWICE, URL, Case, acquire, owner, revocable, stored, title, use_once


class Backup(Case):
    def setUp(self) -> None:
        super().setUp()
        self.place = self.folder / "an USB stick of Zoë"
        self.place.mkdir()

    def backed_up(self) -> Client:
        client = self.device()
        acquire(client, [title(1), title(2)])
        with BackupRestorer(client, backup_path=self.place) as restorer:
            restorer.backup_licenses().wait(PATIENCE)
        return client

    def files(self) -> List[Path]:
        return sorted(path for path in self.place.rglob("*") if path.is_file())

    def test_a_backup_names_what_it_may_not_take_and_is_replaced_only_on_demand(self) -> None:
        client = self.device()
        acquire(client, [title(1), NO_BACKUP])
        with BackupRestorer(client, backup_path=self.place) as restorer:
            outcome = restorer.backup_licenses().wait(PATIENCE)
            self.assertEqual(outcome.result, Result.S_OK)
            self.assertEqual([event.kid for event in outcome.events_of(Status.RESTRICTED_LICENSE)], [NO_BACKUP])
            with self.assertRaises(StorageError) as failed:
                restorer.backup_licenses().wait(PATIENCE)
            self.assertEqual(failed.exception.result, Result.E_BACKUP_EXISTS)
            self.assertEqual(failed.exception.remedy, Remedy.CHOOSE_PLACE)
            self.assertEqual(restorer.backup_licenses(overwrite=True).wait(PATIENCE).result, Result.S_OK)

    def test_the_same_device_restores_offline(self) -> None:
        client = self.backed_up()
        for kid in (title(1), title(2)):
            self.assertTrue(client.delete_licenses(kid, local=True))
        self.assertEqual(stored(client), [])
        client.offline_only = True
        with BackupRestorer(client, restore_path=self.place) as restorer:
            events = list(restorer.restore_licenses())
        self.assertEqual((events[0].status, events[-1].status), (Status.BACKUPRESTORE_BEGIN, Status.BACKUPRESTORE_END))
        self.assertEqual(stored(client), [title(1), title(2)])

    def test_another_device_sees_the_count_of_devices_before_it_restores(self) -> None:
        self.backed_up()
        other = self.client("other")
        with BackupRestorer(other, restore_path=self.place) as restorer:
            with self.assertRaises(NeedsIndividualization):
                restorer.restore_licenses().wait(PATIENCE)
            with self.assertRaises(NeedsIndividualization):
                restorer.preview_restore().wait(PATIENCE)
            outcome = restorer.restore_licenses(individualize=True).wait(PATIENCE)
            self.assertEqual(outcome.result, Result.S_OK)
            self.assertEqual(stored(other), [title(1), title(2)])
        third = self.device("third")
        with BackupRestorer(third, restore_path=self.place) as restorer:
            verdicts = [event.value for event in restorer.preview_restore() if event.status == Status.RESTORE_VERDICT]
        self.assertEqual(stored(third), [])
        for verdict in verdicts:
            assert isinstance(verdict, RestoreVerdict)
            self.assertEqual(verdict.devices_used, 2)
            self.assertGreater(verdict.devices_limit or 0, 2)
        self.assertEqual(len(verdicts), 2)

    def test_a_restore_in_part_says_what_is_left_out_and_why(self) -> None:
        client, taken = self.device(), revocable("Taken back")
        acquire(client, [title(1), taken])
        with BackupRestorer(client, backup_path=self.place) as restorer:
            restorer.backup_licenses().wait(PATIENCE)
        owner("license", "revoke", "--kid", taken.hex, "--reason", "test")
        other = self.device("other")
        with BackupRestorer(other, restore_path=self.place) as restorer:
            outcome = restorer.restore_licenses().wait(PATIENCE)
        self.assertTrue(outcome.is_partial)
        (refused,) = outcome.events_of(Status.LICENSE_REFUSED)
        self.assertEqual((refused.kid, refused.result), (taken, Result.E_LICENSE_CONTENT_REVOKED))
        self.assertEqual(stored(other), [title(1)])

    def test_a_restore_resets_no_counter(self) -> None:
        client = self.device()
        acquire(client, [TWICE])
        with BackupRestorer(client, backup_path=self.place, restore_path=self.place) as restorer:
            restorer.backup_licenses().wait(PATIENCE)
            use_once(client, TWICE)
            self.assertEqual(client.query_license_state(TWICE).counts, (1,))
            restorer.restore_licenses().wait(PATIENCE)
        self.assertEqual(client.query_license_state(TWICE).counts, (1,))

    def test_a_backup_is_verified_to_its_last_byte(self) -> None:
        client = self.backed_up()
        with BackupRestorer(client, restore_path=self.place) as restorer:
            self.assertEqual(restorer.verify_backup().wait(PATIENCE).result, Result.S_OK)
            largest = max(self.files(), key=lambda path: path.stat().st_size)
            content = bytearray(largest.read_bytes())
            content[len(content) // 2] ^= 1
            largest.write_bytes(content)
            with self.raises(Result.E_BACKUP_CORRUPT):
                restorer.verify_backup().wait(PATIENCE)
            with self.raises(Result.E_BACKUP_CORRUPT):
                restorer.restore_licenses().wait(PATIENCE)

    def test_a_folder_without_a_backup_is_told_apart(self) -> None:
        with BackupRestorer(self.client(), restore_path=self.folder) as restorer:
            with self.raises(Result.E_BACKUP_NOT_FOUND):
                restorer.restore_licenses().wait(PATIENCE)
            restorer.backup_path = self.folder / "missing"
            with self.raises(Result.E_PATH_NOT_FOUND):
                restorer.backup_licenses().wait(PATIENCE)
            restorer.restore_path = None
            with self.raises(Result.E_INVALID_PROPERTY):
                restorer.restore_licenses()

    def test_paths_are_text_bytes_or_path_objects_even_if_they_are_no_text(self) -> None:
        client = self.backed_up()
        raw = os.fsencode(self.folder) + b"/not \xff text"
        os.mkdir(raw)
        for path in (raw, os.fsdecode(raw), Path(os.fsdecode(raw))):
            with BackupRestorer(client, backup_path=path, restore_path=path) as restorer:
                self.assertEqual(restorer.backup_path, os.fsdecode(raw))
                restorer.backup_licenses(overwrite=True).wait(PATIENCE)
                self.assertEqual(restorer.verify_backup().wait(PATIENCE).result, Result.S_OK)
        with Client(raw + b"/store", authority=client.authority or "", service_url=URL) as other:
            self.assertEqual(other.store_path, os.fsdecode(raw) + "/store")

    def test_leaving_the_with_statement_cancels_and_nothing_changes(self) -> None:
        self.backed_up()
        client = self.hanging("other")
        with BackupRestorer(client, restore_path=self.place) as restorer:
            with restorer.restore_licenses(individualize=True) as operation:
                first = next(iter(operation))
                self.assertNotEqual(first.status, Status.BACKUPRESTORE_END)
            self.assertTrue(operation.done)
            with self.raises(Result.E_OPERATION_CANCELED):
                operation.wait()
        self.assertEqual(stored(client), [])


if __name__ == "__main__":
    unittest.main()
