"""Individualizing and acquiring: silently, with the user, ahead of need, carried by the application; renewing."""

from __future__ import annotations

import base64
import unittest
from uuid import UUID

from wmlicense import (
    Client,
    ContentHeader,
    DeadlinePassed,
    Individualizer,
    IndividualizePhase,
    IndividualizeProgress,
    LicenseRequest,
    NeedsIndividualization,
    NetworkError,
    NotLicensed,
    RefusedError,
    Remedy,
    Result,
    Status,
    UserActionRequired,
    ensure_license,
)
from wmlicense._library import call

from support import (
    GOLD,
    GOLD_TOKEN,
    MEDIA,
    PATIENCE,
    PICTURE,
    TO_COME,
    TONE,
    TWICE,
    UNKNOWN,
    Case,
    acquire,
    asked,
    closed_port,
    post,
    stored,
    title,
    user,
)


def _hidden(kid: UUID) -> str:
    """A key ID as W3C initialization data has it."""
    return base64.urlsafe_b64encode(kid.bytes).decode().rstrip("=")


def _ensure_of_c(client: Client, header: ContentHeader) -> None:
    call("wm_ensure_license", client._handle, header._handle, b"Play", 0, int(PATIENCE * 1000))


class Individualizing(Case):
    def test_the_device_gets_its_certificate_and_tells_every_phase(self) -> None:
        client = self.client()
        self.assertEqual((client.individualized, client.device_id, client.security_version), (False, None, "0.0.0.0"))
        with Individualizer(client, user_consent=True) as individualizer:
            events = list(individualizer.individualize())
            last = events[-1].value
            assert isinstance(last, IndividualizeProgress)
            self.assertEqual((events[-1].result, last.phase), (Result.S_INDIVIDUALIZED, IndividualizePhase.SUCCEED))
            self.assertGreaterEqual(len(events), 3)
            self.assertEqual({event.status for event in events}, {Status.INDIVIDUALIZE, Status.NETWORK})
            device = client.device_id
            self.assertEqual(individualizer.individualize(force=True).wait(PATIENCE).result, Result.S_INDIVIDUALIZED)
        self.assertTrue(client.individualized)
        self.assertEqual(client.device_id, device)

    def test_without_consent_nothing_starts(self) -> None:
        with Individualizer(self.client()) as individualizer, self.raises(Result.E_INVALID_PROPERTY):
            individualizer.individualize()

    def test_an_unreachable_service_says_what_helps(self) -> None:
        client = self.client(service_url=closed_port(), retry_limit=0)
        with Individualizer(client, user_consent=True) as individualizer:
            with self.assertRaises(NetworkError) as failed:
                individualizer.individualize().wait(PATIENCE)
        error = failed.exception
        self.assertEqual(error.result, Result.E_INDIV_SERVICE_UNAVAILABLE)
        self.assertEqual((error.name, error.remedy), ("WM_E_INDIV_SERVICE_UNAVAILABLE", Remedy.GO_ONLINE))
        self.assertTrue(error.retryable)
        self.assertEqual(error.events[-1].status, Status.INDIVIDUALIZE)


class Acquiring(Case):
    def test_a_silent_acquisition_stores_licenses(self) -> None:
        client = self.device()
        outcome = acquire(client, [title(1), title(2)])
        self.assertTrue(outcome.license_stored)
        self.assertEqual(stored(client), [title(1), title(2)])

    def test_a_header_names_the_key_ids(self) -> None:
        client = self.device()
        content = (MEDIA / "packager-cenc-video.mp4").read_bytes()
        with LicenseRequest(client, header=memoryview(content)[:4096]) as request:
            self.assertTrue(request.acquire_license().wait(PATIENCE).license_stored)
        self.assertEqual(stored(client), [TONE, PICTURE])

    def test_a_refusal_names_the_license_and_the_reason(self) -> None:
        client = self.device()
        with LicenseRequest(client, key_ids=[UNKNOWN, title(1)]) as request:
            outcome = request.acquire_license().wait(PATIENCE)
            (refused,) = outcome.events_of(Status.LICENSE_REFUSED)
            self.assertEqual((refused.kid, refused.result), (UNKNOWN, Result.E_LICENSE_UNAVAILABLE))
            assert refused.error is not None
            self.assertEqual(refused.error.kid, UNKNOWN)
            request.key_ids = [UNKNOWN]
            with self.assertRaises(RefusedError) as failed:
                request.acquire_license().wait(PATIENCE)
            self.assertEqual(failed.exception.kid, UNKNOWN)

    def test_a_device_that_is_not_individualized_is_told_so(self) -> None:
        with LicenseRequest(self.client(), key_ids=[title(1)]) as request:
            with self.assertRaises(NeedsIndividualization) as failed:
                request.acquire_license().wait(PATIENCE)
        self.assertEqual(failed.exception.remedy, Remedy.INDIVIDUALIZE)
        self.assertIn(Status.NEEDS_INDIVIDUALIZATION, [event.status for event in failed.exception.events])

    def test_what_an_account_may_have_comes_ahead_of_need_and_then_only_what_is_new(self) -> None:
        client = self.device(account_token=GOLD_TOKEN)
        with LicenseRequest(client, scope="gold") as request:
            self.assertEqual(request.acquire_license().wait(PATIENCE).result, Result.S_LICENSE_ACQUIRED)
            self.assertIn(GOLD, stored(client))
            self.assertEqual(request.acquire_license().wait(PATIENCE).result, Result.S_NOTHING_NEW)

    def test_licenses_are_renewed_without_their_content(self) -> None:
        client = self.device()
        acquire(client, [title(1), title(2)])
        with LicenseRequest(client, key_ids=[title(1)]) as request:
            self.assertEqual(request.renew_licenses().wait(PATIENCE).result, Result.S_LICENSE_ACQUIRED)
            request.key_ids = None
            request.expiring_within = 30
            self.assertEqual(request.renew_licenses().wait(PATIENCE).result, Result.S_NOTHING_TO_RENEW)
            request.key_ids = [UNKNOWN]
            with self.assertRaises(NotLicensed):
                request.renew_licenses().wait(PATIENCE)


class WithTheUser(Case):
    def test_the_user_accepts_on_the_page(self) -> None:
        client = self.device()
        with LicenseRequest(client, key_ids=[asked(1)], loopback_redirect=True) as request:
            with self.assertRaises(UserActionRequired) as silent:
                request.acquire_license().wait(PATIENCE)
            self.assertTrue((silent.exception.url or "").startswith("http://127.0.0.1:"))
            outcome = request.acquire_license(silent=False).wait(PATIENCE)
            self.assertEqual((outcome.result, outcome.license_stored), (Result.S_OK, False))
            assert outcome.url is not None
            self.assertEqual(request.get_license_url(), outcome.url)
            digits = request.interaction_code
            monitor = request.monitor_license()
            self.assertEqual(user(outcome.url), digits)
            self.assertTrue(monitor.wait(PATIENCE).license_stored)
        self.assertEqual(stored(client), [asked(1)])

    def test_the_user_declines_or_the_application_gives_up(self) -> None:
        client = self.device()
        with LicenseRequest(client, key_ids=[asked(2)]) as request:
            url = request.acquire_license(silent=False).wait(PATIENCE).url
            user(url or "", "decline")
            with self.raises(Result.E_LICENSE_NOTACQUIRED):
                request.monitor_license().wait(PATIENCE)
            request.acquire_license(silent=False).wait(PATIENCE)
            transaction = request.transaction_id
            with self.raises(Result.S_MONITOR_CANCELLED), request.monitor_license() as monitor:
                monitor.cancel()
                monitor.wait(PATIENCE)
        # The transaction outlives its object; another one resumes it and gives it up.
        with LicenseRequest(client, key_ids=[asked(2)], transaction_id=transaction) as request:
            monitor = request.monitor_license()
            request.abandon_acquisition()
            with self.raises(Result.E_LICENSE_NOTACQUIRED):
                monitor.wait(PATIENCE)
            with self.raises(Result.E_NO_TRANSACTION):
                request.abandon_acquisition()


class Carried(Case):
    def test_the_application_carries_challenge_and_response(self) -> None:
        client = self.device(offline_only=False)
        client.offline_only = True
        with LicenseRequest(client, key_ids=[title(3), UNKNOWN]) as request:
            answer = post(request.get_license_url(), request.get_challenge())
            with self.raises(Result.E_INVALID_LICENSE_ACQUIRED):
                request.process_response(b"no answer")
            outcome = request.process_response(memoryview(answer))
            self.assertEqual(outcome.result, Result.S_LICENSE_ACQUIRED)
            (refused,) = outcome.events_of(Status.LICENSE_REFUSED)
            self.assertEqual(refused.kid, UNKNOWN)
            with self.raises(Result.E_NO_TRANSACTION):
                request.process_response(answer)
        self.assertEqual(stored(client), [title(3)])


class Ensuring(Case):
    def header(self, *kids: object) -> ContentHeader:
        listed = ",".join(f'"{kid}"' for kid in kids)
        header = ContentHeader(f'{{"kids":[{listed}]}}'.encode())
        self.addCleanup(header.close)
        return header

    def clear(self) -> ContentHeader:
        header = ContentHeader.from_file(MEDIA / "src.mp4")
        self.addCleanup(header.close)
        return header

    def test_one_call_leads_from_a_file_to_its_license(self) -> None:
        client = self.client()
        with ContentHeader.from_file(MEDIA / "packager-cenc-video.mp4") as header:
            with self.assertRaises(NeedsIndividualization):
                ensure_license(client, header)
            self.assertEqual(ensure_license(client, header, individualize=True, timeout=PATIENCE), Result.S_LICENSE_ACQUIRED)
            client.offline_only = True
            self.assertEqual(ensure_license(client, header), Result.S_OK)

    def test_it_fails_as_the_function_of_c_does(self) -> None:
        client = self.device()
        # Of the second, one license comes with the first try and stays.
        cases = [
            (self.header(_hidden(UNKNOWN)), Result.E_LICENSE_UNAVAILABLE),
            (self.header(_hidden(title(4)), _hidden(UNKNOWN)), Result.E_LICENSE_UNAVAILABLE),
            (self.header(_hidden(asked(3))), Result.E_NO_RIGHTS),
            (self.header(_hidden(TO_COME)), Result.E_LICENSE_NOTENABLED),
            (self.clear(), Result.E_INVALID_LICENSE_REQUEST),
        ]
        for header, expected in cases:
            for ensure in (ensure_license, _ensure_of_c):
                with self.raises(expected) as failed:
                    ensure(client, header)
                if expected == Result.E_NO_RIGHTS and ensure is ensure_license:
                    self.assertTrue(failed.exception.url.startswith("http://127.0.0.1:"))

    def test_it_gives_up_when_its_time_is_over(self) -> None:
        client = self.hanging()
        with self.assertRaises(DeadlinePassed) as failed, ContentHeader.from_file(MEDIA / "packager-cenc-video.mp4") as header:
            ensure_license(client, header, individualize=True, timeout=0.3)
        self.assertIsInstance(failed.exception, TimeoutError)

    def test_an_action_that_the_license_lacks_is_refused(self) -> None:
        client = self.device()
        with self.raises(Result.E_LICENSE_INCORRECT_RIGHTS):
            ensure_license(client, self.header(_hidden(TWICE)), "Copy", timeout=PATIENCE)


if __name__ == "__main__":
    unittest.main()
