"""Events and ends of operations in threads: iterating, waiting, cancelling, closing meanwhile; the descriptor in a poll loop."""

from __future__ import annotations

import pickle
import select
import threading
import time
import unittest
from typing import Callable, List
from unittest import mock

import wmlicense
from wmlicense import (
    BackupRestorer,
    Busy,
    CallError,
    Cancelled,
    Client,
    Individualizer,
    LicenseRequest,
    NetworkError,
    Operation,
    Result,
    StateError,
    Status,
    StoreKeeper,
    WaitTimeout,
    WmError,
)
from wmlicense._library import library
from wmlicense._object import Object
from wmlicense._pump import Pump

from support import PATIENCE, UNKNOWN, Case, acquire, silent_service, title

#: A cancel ends every phase within 100 ms; this leaves room for a machine that is busy with much else.
SOON = 10.0


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


class Events(Case):
    def running(self, name: str = "store") -> Operation:
        """An operation that asks a service which never answers."""
        individualizer = Individualizer(self.hanging(name), user_consent=True)
        return individualizer.individualize()

    def test_an_operation_is_iterated_over_up_to_its_final_event_and_waited_for_again_and_again(self) -> None:
        client = self.device()
        with LicenseRequest(client, key_ids=[title(1), UNKNOWN]) as request:
            operation = request.acquire_license()
            events = list(operation)
            self.assertEqual(events[-1].status, Status.ACQUIRE_LICENSE)
            self.assertEqual([event.kid for event in events if event.status == Status.LICENSE_REFUSED], [UNKNOWN])
            self.assertEqual(list(operation), [])
            for _again in range(2):
                outcome = operation.wait()
                self.assertEqual((outcome.result, outcome.events), (Result.S_LICENSE_ACQUIRED, ()))
            # The object is ready for the next verb as soon as its final event was read.
            self.assertEqual(request.acquire_license().wait(PATIENCE).result, Result.S_LICENSE_ACQUIRED)
            self.assertEqual(operation.wait().result, Result.S_LICENSE_ACQUIRED)

    def test_of_progress_that_nobody_read_the_newest_is_kept(self) -> None:
        client = self.device()
        acquire(client, [title(number) for number in range(1, 11)])
        with BackupRestorer(client, backup_path=self.folder) as restorer:
            (progress,) = restorer.backup_licenses().wait(PATIENCE).events_of(Status.PROGRESS)
        self.assertEqual(progress.value, wmlicense.Progress(10, 10))

    def test_a_wait_ends_with_its_timeout_and_the_operation_goes_on(self) -> None:
        operation = self.running()
        for timeout in (0, 0.05, -1, 1e-9):
            with self.assertRaises(WaitTimeout) as failed:
                operation.wait(timeout)
        self.assertIsInstance(failed.exception, TimeoutError)
        self.assertIsInstance(failed.exception, StateError)
        self.assertFalse(operation.done)
        operation.cancel()
        with self.assertRaises(Cancelled):
            operation.wait(SOON)
        operation.cancel()  # Over: no effect.

    def test_a_cancelled_acquisition_raises_although_its_number_is_a_success(self) -> None:
        with LicenseRequest(self.hanging(), key_ids=[title(1)]) as request:
            operation = request.acquire_license()
            operation.cancel()
            with self.assertRaises(WmError) as failed:
                operation.wait(SOON)
        self.assertIn(failed.exception.result, (Result.S_ACQUIRE_CANCELLED, Result.E_NEEDS_INDIVIDUALIZATION))

    def test_a_cancel_meets_its_own_operation_only(self) -> None:
        client = self.device()
        request = LicenseRequest(client, key_ids=[title(1)])
        first = request.acquire_license()
        self.assertEqual(library().wm_wait(request._handle, int(PATIENCE * 1000), None), 0)
        # The end of the first was not read yet, and the object does the next thing already.
        client.service_url = self._stack.enter_context(silent_service())
        second = request.acquire_license()
        first.cancel()
        self.assertTrue(first.wait(PATIENCE).license_stored)
        with self.assertRaises(WaitTimeout):
            second.wait(0.2)
        second.cancel()
        with self.assertRaises(Cancelled):
            second.wait(SOON)

    def test_an_operation_whose_object_is_being_released_is_over_when_it_says_so(self) -> None:
        operation = self.running()
        refused = (Result.E_INVALID_HANDLE, 0)
        with mock.patch.object(type(operation.owner), "_wait_result", return_value=refused):
            with self.assertRaises(WaitTimeout):
                operation.wait(0)
            operation.owner.close()
            with self.assertRaises(Cancelled):
                operation.wait(SOON)

    def test_an_object_does_one_thing_at_a_time_and_a_client_many(self) -> None:
        client = self.device()
        with LicenseRequest(self.hanging("other"), key_ids=[title(1)]) as request:
            with request.monitor_license() as monitor:
                if not monitor.done:
                    with self.assertRaises(Busy):
                        request.acquire_license()
        requests = [LicenseRequest(client, key_ids=[title(number)]) for number in range(1, 9)]
        operations = [request.acquire_license() for request in requests]
        keeper = StoreKeeper(client)
        operations.append(keeper.check_store())
        for operation in reversed(operations):
            self.assertGreaterEqual(operation.wait(PATIENCE).result, 0)

    def test_many_threads_wait_for_many_operations_of_one_client(self) -> None:
        client = self.device()
        results: List[Result] = []

        def work(number: int) -> None:
            for _round in range(5):
                with LicenseRequest(client, key_ids=[title(number), UNKNOWN]) as request:
                    results.append(request.acquire_license().wait(PATIENCE).result)

        threads = [in_thread(lambda number=number: work(number)) for number in range(1, 9)]  # type: ignore[misc]
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(results, [Result.S_LICENSE_ACQUIRED] * 40)

    def test_threads_that_wait_for_one_operation_all_learn_of_its_end(self) -> None:
        operation = self.running()
        ends: List[Result] = []
        ready = threading.Barrier(5)

        def wait() -> None:
            ready.wait()
            try:
                operation.wait(PATIENCE)
            except WmError as error:
                ends.append(error.result)

        threads = [in_thread(wait) for _thread in range(4)]
        ready.wait()
        operation.cancel()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(ends, [Result.E_OPERATION_CANCELED] * 4)

    def test_two_that_iterate_over_one_operation_share_its_events(self) -> None:
        operation = self.running()
        seen: List[Status] = []
        threads = [in_thread(lambda: seen.extend(event.status for event in operation)) for _thread in range(2)]
        operation.cancel()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertFalse(any(thread.is_alive() for thread in threads))
        self.assertIn(Status.INDIVIDUALIZE, seen)

    def test_closing_in_one_thread_ends_the_wait_of_another(self) -> None:
        for name in ("the object", "the client"):
            operation = self.running(name)
            closed: Object = operation.owner if name == "the object" else operation.owner.client
            ends: List[Result] = []

            def wait() -> None:
                try:
                    for _event in operation:
                        began.set()
                    operation.wait(PATIENCE)
                except WmError as error:
                    ends.append(error.result)

            began = threading.Event()
            thread = in_thread(wait)
            self.assertTrue(began.wait(PATIENCE))
            closed.close()
            thread.join(SOON)
            self.assertEqual(ends, [Result.E_OPERATION_CANCELED])
            with self.assertRaises(Cancelled):
                operation.wait()

    def test_threads_that_close_a_client_at_the_same_time_all_return_when_it_is_closed(self) -> None:
        operation = self.running()
        client = operation.owner.client
        open_objects: List[int] = []

        def close() -> None:
            client.close()
            open_objects.append(wmlicense.live_objects())

        threads = [in_thread(close) for _thread in range(4)]
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(open_objects, [0] * 4)

    def test_what_is_closed_refuses_every_call(self) -> None:
        client = self.device()
        request = LicenseRequest(client, key_ids=[title(1)])
        operation = request.acquire_license()
        operation.wait(PATIENCE)
        client.close()
        client.close()
        calls: List[Callable[[], object]] = [
            lambda: request.acquire_license(),
            lambda: request.key_ids,
            lambda: request.get_challenge(),
            lambda: request.process_response(b""),
            lambda: client.query_action_allowed(title(1)),
            lambda: next(client.licenses()),
            lambda: Individualizer(client),
            lambda: wmlicense.Decryptor(client, title(1)),
            lambda: client.fileno(),
            lambda: client.read_events(),
            lambda: setattr(client, "proxy", "none"),
        ]
        for call in calls:
            with self.assertRaises(CallError) as failed:
                call()
            self.assertEqual(failed.exception.result, Result.E_INVALID_HANDLE)
        self.assertIn("closed", repr(request))
        self.assertTrue(operation.wait().license_stored)

    def test_calls_that_wait_in_the_library_let_other_threads_run(self) -> None:
        operation = self.running()
        # Blocks in C until the operation is over; if it kept the interpreter's lock, the cancel would never come.
        thread = in_thread(lambda: library().wm_wait(operation.owner._handle, 0xFFFFFFFF, None))
        operation.cancel()
        thread.join(SOON)
        self.assertFalse(thread.is_alive())

    def test_what_is_dropped_while_it_runs_goes_on(self) -> None:
        client = self.device()
        before = client.device_id
        Individualizer(client, user_consent=True).individualize(force=True)
        (operation,) = client._pump.unfinished()
        self.assertEqual(operation.wait(PATIENCE).result, Result.S_INDIVIDUALIZED)
        self.assertEqual(client.device_id, before)

    def test_a_poll_loop_of_another_kind_drives_operations_by_the_descriptor(self) -> None:
        client = self.device()
        with LicenseRequest(client, key_ids=[title(1)]) as request:
            operation = request.acquire_license()
            poll = select.poll()
            poll.register(client, select.POLLIN)
            until = time.monotonic() + PATIENCE
            while not operation.done and time.monotonic() < until:
                poll.poll(1000)
                client.read_events()
            self.assertTrue(operation.wait(0).license_stored)
            self.assertEqual(poll.poll(0), [])

    def test_who_falls_asleep_when_another_has_just_read_its_event_is_woken(self) -> None:
        operation = self.running()
        asleep, was_read, ends = threading.Event(), threading.Event(), []
        sleep = Pump._sleep

        def late(pump: Pump, left: float) -> None:
            asleep.set()
            was_read.wait(PATIENCE)
            sleep(pump, left)

        def wait() -> None:
            with self.assertRaises(Cancelled):
                operation.wait(PATIENCE)
            ends.append(operation)

        with mock.patch.object(Pump, "_sleep", late):
            thread = in_thread(wait)
            self.assertTrue(asleep.wait(PATIENCE))
            operation.cancel()
            library().wm_wait(operation.owner._handle, 0xFFFFFFFF, None)
            operation.owner.client.read_events()
            was_read.set()
            thread.join(SOON)
        self.assertEqual(ends, [operation])

    def test_an_end_that_was_lost_between_queue_and_operation_is_asked_for(self) -> None:
        client = self.device()
        with StoreKeeper(client) as keeper:
            operation = keeper.check_store()
            running = client._pump.running.pop(keeper._context)  # What Ctrl-C can do in the wrong moment.
            self.assertTrue(library().wm_wait(keeper._handle, int(PATIENCE * 1000), None) == 0)
            client.read_events()
            client._pump.running[keeper._context] = running
            self.assertEqual(operation.wait(PATIENCE).result, Result.S_OK)
            self.assertEqual(keeper.check_store().wait(PATIENCE).result, Result.S_OK)

    def test_errors_and_events_survive_pickling(self) -> None:
        with Individualizer(self.client(service_url="http://127.0.0.1:1", retry_limit=0), user_consent=True) as individualizer:
            with self.assertRaises(NetworkError) as failed:
                individualizer.individualize().wait(PATIENCE)
        copy = pickle.loads(pickle.dumps(failed.exception))
        self.assertIs(type(copy), type(failed.exception))
        self.assertEqual((copy.result, copy.message), (failed.exception.result, failed.exception.message))
        with self.assertRaises(WaitTimeout) as late:
            self.running("other").wait(0)
        self.assertEqual(str(pickle.loads(pickle.dumps(late.exception))), str(late.exception))

    def test_every_category_of_the_table_has_its_class(self) -> None:
        client: Client = self.client()
        with self.assertRaises(CallError) as failed:
            client.get_prop("Nothing")
        self.assertEqual(failed.exception.category, wmlicense.Category.CALL)
        self.assertEqual(str(failed.exception), f"{failed.exception.name}: {failed.exception.message}")


if __name__ == "__main__":
    unittest.main()
