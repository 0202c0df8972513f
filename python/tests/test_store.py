"""Stored licenses: listed, queried, titled, deleted, checked, cleaned, taken back; the client's own settings."""

from __future__ import annotations

import sqlite3
import unittest
from datetime import datetime, timedelta, timezone
from uuid import UUID

from wmlicense import (
    BackupRestorer,
    CallError,
    Client,
    ClockVerdict,
    Individualizer,
    License,
    LicenseRequest,
    LicenseStateCategory,
    Reason,
    Result,
    RevocationAgent,
    Status,
    StorageError,
    StoreKeeper,
)

from support import (
    AUTHORITY,
    DEMANDING,
    ENDED,
    NO_BACKUP,
    PATIENCE,
    TO_COME,
    TWICE,
    UNKNOWN,
    URL,
    Case,
    acquire,
    owner,
    post,
    revocable,
    stored,
    title,
    use_once,
)


class Listing(Case):
    def test_each_license_is_a_record_with_dates_and_titles(self) -> None:
        client = self.device()
        acquire(client, [DEMANDING, NO_BACKUP])
        begun = datetime.now(timezone.utc)
        first, second = client.licenses()
        self.assertEqual((first.kid, first.title, first.backup_allowed), (NO_BACKUP, "Not for backup", False))
        self.assertEqual((first.not_before, first.not_after, first.counts_left), (None, None, None))
        self.assertEqual(second.kid, DEMANDING)
        self.assertEqual(set(second.actions), {"Play", "Copy", "Print.redbook", "CreateThumbnailImage", "PlaylistBurn", "Transfer.SDMI"})
        self.assertEqual(second.not_before, None)  # other actions have no beginning
        self.assertEqual(second.output_protection, b"hdcp >= 2")
        assert first.issue_date is not None
        self.assertLess(abs(first.issue_date - begun), timedelta(minutes=5))
        self.assertIsInstance(first, License)

    def test_filters_choose_among_them(self) -> None:
        client = self.device()
        acquire(client, [title(1), TWICE, ENDED, TO_COME, DEMANDING])
        everything = list(client.licenses())
        self.assertEqual(len(everything), 5)
        self.assertEqual([license.kid for license in client.licenses(kid=TWICE)], [TWICE])
        self.assertEqual([license.kid for license in client.licenses(kid=str(TWICE), action="Copy")], [])
        self.assertEqual([license.kid for license in client.licenses(action="Copy")], [DEMANDING])
        self.assertEqual(len(list(client.licenses(issuer=everything[0].issuer))), 5)
        now = datetime.now(timezone.utc)
        self.assertEqual([license.kid for license in client.licenses(expiring_before=now)], [ENDED])
        self.assertEqual([license.kid for license in client.licenses(expiring_before=int(now.timestamp()))], [ENDED])
        with self.assertRaises(ValueError):
            client.licenses(expiring_before=datetime(2030, 1, 1))
        with self.raises(Result.E_BAD_VALUE):
            client.licenses(issuer="no base64")

    def test_an_iterator_that_is_at_its_end_is_closed_and_one_that_is_left_early_closes_with_its_client(self) -> None:
        client = self.device()
        acquire(client, [title(1), title(2)])
        licenses = client.licenses()
        self.assertEqual(len(list(licenses)), 2)
        self.assertTrue(licenses.closed)
        self.assertEqual(list(licenses), [])
        early = client.licenses()
        next(early)
        client.close()
        self.assertTrue(early.closed)
        with self.assertRaises(CallError):
            next(early)


class Asking(Case):
    def test_what_is_left_is_told_in_numbers_and_dates(self) -> None:
        client = self.device()
        acquire(client, [title(1), TWICE, TO_COME, DEMANDING])
        self.assertEqual(client.query_license_state(title(1)).category, LicenseStateCategory.UNLIM)
        self.assertEqual(client.query_license_state(UNKNOWN).category, LicenseStateCategory.NORIGHT)
        state = client.query_license_state(TWICE)
        self.assertEqual((state.category, state.counts), (LicenseStateCategory.COUNT, (2,)))
        self.assertEqual(client.query_license_state(TO_COME).dates, (datetime(2090, 1, 1, tzinfo=timezone.utc),))
        state = client.query_license_state(DEMANDING)
        self.assertEqual(state.category, LicenseStateCategory.COUNT_FROM_UNTIL)
        self.assertEqual([date.year for date in state.dates], [2001, 2090])
        state = client.query_license_state(DEMANDING, "CreateThumbnailImage")
        self.assertEqual(state.after_first_use, timedelta(hours=1))
        self.assertFalse(client.query_action_allowed(title(1)))
        self.assertEqual(client.query_action_allowed(UNKNOWN), Reason.NO_LICENSE | Reason.NOT_ENABLED)

    def test_titles_are_the_services_or_the_applications(self) -> None:
        client = self.device()
        acquire(client, [title(1)])
        self.assertEqual(client.get_content_title(title(1)), "Title 1")
        client.set_content_title(title(1), "Überschrift")
        self.assertEqual(client.get_content_title(title(1)), "Überschrift")
        client.set_content_title(title(1), "")
        self.assertEqual(client.get_content_title(title(1)), "Title 1")
        self.assertIsNone(client.get_content_title(UNKNOWN))
        with self.raises(Result.E_BAD_VALUE):
            client.set_content_title(title(1), "line\nbreak")

    def test_licenses_are_deleted_here_or_for_good(self) -> None:
        client = self.device()
        acquire(client, [title(1), title(2)])
        self.assertTrue(client.delete_licenses(title(1), local=True))
        self.assertEqual((client.delete_licenses(title(1)), client.pending_transactions), (False, 0))
        self.assertTrue(client.delete_licenses(title(2)))
        self.assertEqual((stored(client), client.pending_transactions), ([], 1))


def lose_key(database: sqlite3.Connection, kid: UUID) -> None:
    """Overwrites the key of a license in its page: count, an entry of three numbers each, the keys, the licenses."""
    for row, page in database.execute("SELECT id, licenses FROM page").fetchall():
        count = int.from_bytes(page[:2], "big")
        numbers = [int.from_bytes(page[2 + 2 * at : 4 + 2 * at], "big") for at in range(3 * count)]
        key = 2 + 6 * count
        license = key + sum(numbers[2::3])
        for at in range(count):
            length, wrapped = numbers[3 * at + 1], numbers[3 * at + 2]
            if kid.bytes in page[license : license + length]:
                changed = page[:key] + bytes(wrapped) + page[key + wrapped :]
                database.execute("UPDATE page SET licenses = ? WHERE id = ?", [changed, row])
            key, license = key + wrapped, license + length


class Caring(Case):
    def test_a_sound_store_is_found_sound_and_what_is_over_is_cleaned_away(self) -> None:
        client = self.device()
        acquire(client, [title(1), ENDED, TWICE])
        for _use in range(2):
            use_once(client, TWICE)
        with StoreKeeper(client) as keeper:
            self.assertEqual(keeper.check_store().wait(PATIENCE).result, Result.S_OK)
            self.assertEqual(keeper.check_store(repair=True).wait(PATIENCE).result, Result.S_OK)
            self.assertEqual(keeper.clean_license_store().wait(PATIENCE).result, Result.S_OK)
        self.assertEqual(stored(client), [title(1)])

    def test_a_license_that_was_changed_from_outside_is_named_and_taken_out(self) -> None:
        client = self.device()
        acquire(client, [title(1), title(2)])
        with sqlite3.connect(self.folder / "store" / "licenses.db") as database:
            lose_key(database, title(1))
        database.close()
        with StoreKeeper(client) as keeper:
            with self.raises(Result.E_INVALID_LICENSE) as failed:
                keeper.check_store().wait(PATIENCE)
            (damaged,) = [event for event in failed.exception.events if event.status == Status.DAMAGED_LICENSE]
            self.assertEqual(damaged.kid, title(1))
            self.assertEqual(keeper.check_store(repair=True).wait(PATIENCE).result, Result.S_STORE_REPAIRED)
        self.assertEqual(stored(client), [title(2)])

    def test_the_owner_takes_licenses_back_by_a_refresh_or_by_hand(self) -> None:
        client, second, third = self.device(), revocable("Second"), revocable("Third")
        acquire(client, [title(1), second, third])
        with RevocationAgent(client) as agent:
            self.assertEqual(agent.refresh_revocations().wait(PATIENCE).result, Result.S_OK)
            owner("license", "revoke", "--kid", second.hex, "--reason", "test")
            agent.refresh_revocations().wait(PATIENCE)
            self.assertCountEqual(stored(client), [title(1), third])
            owner("license", "revoke", "--kid", third.hex, "--reason", "test")
            place = f"{URL}/v1/revocations"
            blob = post(place, agent.get_lrb_challenge(), None)
            acknowledgement = agent.process_lrb(bytearray(blob))
            self.assertEqual(stored(client), [title(1)])
            self.assertEqual(agent.process_lrb(blob), acknowledgement)
            post(place, acknowledgement, None)
            with self.raises(Result.E_INVALID_CRL):
                agent.process_lrb(blob[:-1])
            with self.raises(Result.E_REVOCATION_TOO_LONG):
                agent.get_lrb_challenge(bytes(1025))


class Settings(Case):
    def test_properties_are_attributes_and_have_the_names_of_the_header_besides(self) -> None:
        client = self.client(application_id="tests", deadline=2.5, retry_limit=7, device_name="Zoës Gerät", proxy="none")
        self.assertEqual((client.application_id, client.deadline, client.retry_limit), ("tests", 2.5, 7))
        self.assertEqual(client.get_prop("DeadlineMs"), 2500)
        client.application_id = None
        self.assertIsNone(client.application_id)
        client.application_id = None
        client.deadline = None
        self.assertEqual(client.deadline, 0)
        client.allow_http = True
        self.assertIs(client.get_prop("AllowHttp"), True)
        self.assertEqual(client.get_prop("DeviceName"), "Zoës Gerät")
        self.assertEqual((client.clock_verdict, client.authority), (ClockVerdict.UNKNOWN, AUTHORITY))
        self.assertEqual(set(client.prop_names()) & {"Proxy", "AllowHttp", "AccountToken"}, {"Proxy", "AllowHttp"})
        client.remove_all_props()
        self.assertEqual((client.proxy, client.store_path), (None, str(self.folder / "store")))
        with self.assertRaises(AttributeError):
            client.account_token
        with self.raises(Result.E_ALREADY_OPEN):
            client.set_prop("StorePath", self.folder)
        with self.raises(Result.E_UNSUPPORTED_PROPERTY):
            client.get_prop("Nothing")
        with self.raises(Result.E_UNSUPPORTED_PROPERTY):
            client.set_prop("DeviceID", "mine")
        with self.raises(Result.E_WRONG_TYPE):
            client.set_prop("Proxy", 7)

    def test_a_store_that_cannot_be_opened_says_why_and_leaves_nothing_behind(self) -> None:
        (self.folder / "file").write_text("not a folder")
        with self.assertRaises(StorageError):
            Client(self.folder / "file", authority=AUTHORITY)
        with self.assertRaises(StorageError):
            Client(self.folder / "no" / "such", authority=AUTHORITY)
        with self.raises(Result.E_BAD_VALUE):
            Client(self.folder / "store", authority="no digest")
        with self.raises(Result.E_BAD_VALUE):
            Client(self.folder / "store", authority=AUTHORITY, key_protector="a promise")
        with Client(self.folder / "store", authority=[AUTHORITY], key_protector="file") as client:
            self.assertEqual(client.get_prop("KeyProtector"), "file")
        with self.raises(Result.E_BAD_VALUE):
            Client(self.folder / "store", authority=[])

    def test_a_property_of_a_running_object_is_not_changed(self) -> None:
        client = self.hanging()
        kinds = (Individualizer, LicenseRequest, BackupRestorer, RevocationAgent)
        for kind in kinds:
            with kind(client) as asking:
                asking.retry_limit, asking.deadline = 3, 1.5
                self.assertEqual((asking.retry_limit, asking.deadline), (3, 1.5))
        with RevocationAgent(client) as agent:
            with agent.refresh_revocations():
                with self.raises(Result.E_REFRESHING_REVOCATIONS):
                    agent.retry_limit = 3
                with self.raises(Result.E_REFRESHING_REVOCATIONS):
                    agent.refresh_revocations()


if __name__ == "__main__":
    unittest.main()
