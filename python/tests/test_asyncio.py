"""Operations in event loops: awaited, iterated over, cancelled with their task; several loops; closing meanwhile."""

from __future__ import annotations

import asyncio
import threading
import unittest
from typing import List
from unittest import mock

import wmlicense
from wmlicense import (
    Cancelled,
    CallError,
    Client,
    ContentHeader,
    Event,
    Individualizer,
    LicenseRequest,
    Operation,
    Result,
    Status,
    StoreKeeper,
    WmError,
    ensure_license_async,
)
from wmlicense._pump import Pump

from support import AUTHORITY, MEDIA, PATIENCE, UNKNOWN, URL, Case, title


class Asyncio(Case):
    def running(self, name: str = "store") -> Operation:
        """An operation that asks a service which never answers."""
        return Individualizer(self.hanging(name), user_consent=True).individualize()

    def test_an_operation_is_awaited_and_iterated_over(self) -> None:
        async def work() -> None:
            async with Client(self.folder / "store", authority=AUTHORITY, service_url=URL) as client:
                self.assertEqual((await Individualizer(client, user_consent=True).individualize()).result, Result.S_INDIVIDUALIZED)
                operation = LicenseRequest(client, key_ids=[title(1), UNKNOWN]).acquire_license()
                events = [event async for event in operation]
                self.assertEqual(events[-1].result, Result.S_LICENSE_ACQUIRED)
                self.assertIn(Status.LICENSE_REFUSED, [event.status for event in events])
                self.assertTrue((await operation).license_stored)
                with self.assertRaises(WmError):
                    await LicenseRequest(client, key_ids=[UNKNOWN]).acquire_license()

        asyncio.run(work())

    def test_many_tasks_of_one_loop_run_side_by_side(self) -> None:
        client = self.device()

        async def one(number: int) -> Result:
            with LicenseRequest(client, key_ids=[title(number)]) as request:
                return (await request.acquire_license()).result

        async def work() -> List[Result]:
            return list(await asyncio.gather(*(one(number) for number in range(1, 11))))

        self.assertEqual(asyncio.run(work()), [Result.S_LICENSE_ACQUIRED] * 10)

    def test_a_cancelled_task_cancels_its_operation_and_waits_for_its_end_without_blocking_the_loop(self) -> None:
        operation = self.running()

        async def work() -> None:
            task = asyncio.ensure_future(self.ended(operation))
            await asyncio.sleep(0)
            # What blocks a thread until something comes is not for a loop.
            with mock.patch.object(Pump, "wait", side_effect=AssertionError("the loop is blocked")):
                task.cancel()
                await asyncio.sleep(0)
                task.cancel()  # A second one does not leave the operation behind.
                with self.assertRaises(asyncio.CancelledError):
                    await task
            self.assertTrue(operation.done)

        asyncio.run(work())
        with self.assertRaises(Cancelled):
            operation.wait(0)

    async def ended(self, operation: Operation) -> wmlicense.Outcome:
        return await operation

    def test_a_timeout_of_asyncio_ends_the_operation(self) -> None:
        operation = self.running()

        async def work() -> None:
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(self.ended(operation), 0.1)

        asyncio.run(work())
        self.assertTrue(operation.done)

    def test_leaving_an_iteration_leaves_the_operation_and_async_with_ends_it(self) -> None:
        operation = self.running()

        async def work() -> None:
            async with operation:
                async for event in operation:
                    self.assertNotEqual(event.result, Result.S_INDIVIDUALIZED)
                    break
                self.assertFalse(operation.done)
            self.assertTrue(operation.done)

        asyncio.run(work())

    def test_closing_ends_an_iteration_with_the_final_event(self) -> None:
        for name, closes_at_once in (("at once", True), ("awaited", False)):
            operation = self.running(name)
            client = operation.owner.client
            seen: List[Event] = []

            async def iterate() -> None:
                async for event in operation:
                    seen.append(event)

            async def work() -> None:
                task = asyncio.ensure_future(iterate())
                while not seen:
                    await asyncio.sleep(0)
                if closes_at_once:
                    client.close()
                else:
                    await client.aclose()
                await asyncio.wait_for(task, PATIENCE)
                self.assertEqual(seen[-1].result, Result.E_OPERATION_CANCELED)
                with self.assertRaises(Cancelled):
                    await operation
                await client.aclose()
                with self.assertRaises(CallError):
                    await LicenseRequest(client, key_ids=[title(1)]).acquire_license()

            asyncio.run(work())

    def test_two_loops_and_a_thread_wait_on_one_client(self) -> None:
        client = self.device()
        ends: List[Result] = []

        async def work(number: int) -> None:
            for _round in range(10):
                with LicenseRequest(client, key_ids=[title(number), UNKNOWN]) as request:
                    ends.append((await request.acquire_license()).result)

        def in_loop(number: int) -> None:
            asyncio.run(work(number))

        threads = [threading.Thread(target=in_loop, args=[number]) for number in (1, 2)]
        for thread in threads:
            thread.start()
        with StoreKeeper(client) as keeper:
            for _round in range(10):
                self.assertEqual(keeper.check_store().wait(PATIENCE).result, Result.S_OK)
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(ends, [Result.S_LICENSE_ACQUIRED] * 20)

    def test_one_operation_is_awaited_in_two_loops(self) -> None:
        operation = self.running()
        ends: List[Result] = []
        ready = threading.Barrier(3)

        async def work() -> None:
            waiting = asyncio.ensure_future(self.ended(operation))
            await asyncio.sleep(0)
            ready.wait()
            try:
                await waiting
            except WmError as error:
                ends.append(error.result)

        threads = [threading.Thread(target=lambda: asyncio.run(work())) for _thread in range(2)]
        for thread in threads:
            thread.start()
        ready.wait()
        operation.cancel()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(ends, [Result.E_OPERATION_CANCELED] * 2)

    def test_a_loop_that_is_closed_under_what_it_awaits_leaves_the_operation_to_others(self) -> None:
        operation = self.running()
        loop = asyncio.new_event_loop()
        task = loop.create_task(self.ended(operation))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        operation.cancel()
        with self.assertRaises(Cancelled):
            operation.wait(PATIENCE)
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # Its loop is gone: that is what is tested.

    def test_a_license_is_ensured_without_blocking_the_loop(self) -> None:
        client = self.client()

        async def work() -> None:
            with ContentHeader.from_file(MEDIA / "packager-cenc-video.mp4") as header:
                result = await ensure_license_async(client, header, individualize=True, timeout=PATIENCE)
                self.assertEqual(result, Result.S_LICENSE_ACQUIRED)
                self.assertEqual(await ensure_license_async(client, header), Result.S_OK)

        asyncio.run(work())

    def test_a_cancelled_task_ends_the_ensuring(self) -> None:
        client = self.hanging()

        async def work() -> None:
            with ContentHeader.from_file(MEDIA / "packager-cenc-video.mp4") as header:
                task = asyncio.ensure_future(ensure_license_async(client, header, individualize=True))
                while not client._pump.unfinished():
                    await asyncio.sleep(0)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
            self.assertEqual(client._pump.unfinished(), set())

        asyncio.run(work())


if __name__ == "__main__":
    unittest.main()
