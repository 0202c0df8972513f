"""What concerns a whole process: Ctrl-C, the end of the interpreter with everything open, fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
import unittest
from typing import Callable, List, Tuple

import wmlicense
from wmlicense import Forked, Individualizer, LicenseRequest, Result

from support import AUTHORITY, PATIENCE, TOKEN, URL, Case, acquire, script, silent_service, stored, title

#: Opens a client whose service never answers, and has something run.
RUNNING = """
import sys, asyncio, threading, wmlicense
client = wmlicense.Client(sys.argv[1], authority=sys.argv[2], service_url=sys.argv[3])
operation = wmlicense.Individualizer(client, user_consent=True).individualize()
"""

#: Two threads work with one client while Ctrl-C strikes the first 200 times, at any step of Python.
STORM = """
import os, random, signal, sys, threading, wmlicense
client = wmlicense.Client(sys.argv[1], authority=sys.argv[2], service_url=sys.argv[3], account_token=sys.argv[4])
wmlicense.Individualizer(client, user_consent=True).individualize().wait()
begun, over = threading.Event(), threading.Event()
def strike():
    begun.wait()
    for _strike in range(200):
        over.wait(random.random() / 50)
        os.kill(os.getpid(), signal.SIGINT)
    over.set()
def work():
    try:
        with wmlicense.LicenseRequest(client, key_ids=[sys.argv[5]]) as request:
            for event in request.acquire_license():
                pass
        wmlicense.StoreKeeper(client).check_store().wait(30)
    except wmlicense.Cancelled:
        pass
def follow():
    while not over.is_set():
        work()
threads = [threading.Thread(target=strike), threading.Thread(target=follow)]
for thread in threads:
    thread.start()
while True:
    try:
        begun.set()
        follow()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        break
    except KeyboardInterrupt:
        pass
for thread in threads:
    thread.join(30)
client.close()
print("stranded" if any(thread.is_alive() for thread in threads) else "nobody is stranded")
"""


class Processes(Case):
    def run_script(self, text: str) -> "subprocess.Popen[str]":
        service = self._stack.enter_context(silent_service())
        return script(RUNNING + text, str(self.folder / "store"), AUTHORITY, service)

    def interrupted(self, text: str) -> Tuple[int, str, str]:
        """Ends a script with Ctrl-C once it said that it waits; answers code, output and complaints."""
        with self.run_script(text) as process:
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), "waiting\n")
            process.send_signal(signal.SIGINT)
            printed, complaint = process.communicate(timeout=PATIENCE)
            return process.returncode, printed, complaint

    def test_ctrl_c_ends_a_wait_and_the_operation_can_be_ended_after_it(self) -> None:
        code, printed, complaint = self.interrupted(
            """
try:
    print("waiting", flush=True)
    operation.wait()
except KeyboardInterrupt:
    print("interrupted", operation.done)
client.close()
print(operation.done, wmlicense.live_objects())
"""
        )
        self.assertEqual((code, printed, complaint), (0, "interrupted False\nTrue 0\n", ""))

    def test_ctrl_c_in_an_iteration_leaves_the_with_statements(self) -> None:
        code, printed, complaint = self.interrupted(
            """
try:
    with client, operation:
        print("waiting", flush=True)
        for event in operation:
            pass
except KeyboardInterrupt:
    print("interrupted", operation.done, wmlicense.live_objects())
"""
        )
        self.assertEqual((code, printed, complaint), (0, "interrupted True 0\n", ""))

    def test_ctrl_c_ends_the_ensuring_of_a_license_and_an_event_loop(self) -> None:
        media = os.environ["WM_TEST_MEDIA"]
        for ensure in (
            "print('waiting', flush=True); wmlicense.ensure_license(client, header, individualize=True)",
            "asyncio.run(ensure())",
        ):
            code, printed, complaint = self.interrupted(
                f"""
async def ensure():
    print("waiting", flush=True)
    await wmlicense.ensure_license_async(client, header, individualize=True)
header = wmlicense.ContentHeader.from_file({media!r} + "/packager-cenc-video.mp4")
try:
    with client, header:
        {ensure}
except KeyboardInterrupt:
    print("interrupted", wmlicense.live_objects())
"""
            )
            self.assertEqual((code, printed), (0, "interrupted 0\n"), (ensure, complaint))
            self.assertNotIn("Traceback", complaint)

    def test_other_threads_are_not_stranded_by_ctrl_c_in_the_one_that_slept_for_them(self) -> None:
        code, printed, complaint = self.interrupted(
            """
def follow():
    try:
        operation.wait()
    except wmlicense.Cancelled:
        print("cancelled")
thread = threading.Thread(target=follow)
try:
    thread.start()
    print("waiting", flush=True)
    operation.wait()
except KeyboardInterrupt:
    operation.cancel()
    thread.join()
client.close()
"""
        )
        self.assertEqual((code, printed, complaint), (0, "cancelled\n", ""))

    def test_a_storm_of_ctrl_c_strands_nobody(self) -> None:
        service = [str(self.folder / "live"), AUTHORITY, URL, TOKEN, title(1).hex]
        with script(STORM, *service) as process:
            printed, complaint = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, printed), (0, "nobody is stranded\n"), complaint)

    def test_a_signal_handler_may_cancel_and_close_what_it_interrupts(self) -> None:
        # Nobody looks by itself: what ends the wait is the handler.
        text = """
import signal
wmlicense._pump.LOOK_AGAIN = 1000.0
def handler(_number, _frame):
    if not operation.done:
        ENDS()
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.05)
try:
    WAITS
except wmlicense.Cancelled:
    pass
print(operation.done, client.closed)
client.close()
print(wmlicense.live_objects())
"""
        waits = ["operation.wait()", "for _event in operation: pass", "asyncio.run(operation._end())"]
        for ends in ("operation.cancel", "operation.owner.close", "client.close"):
            for wait in waits:
                with self.run_script(text.replace("ENDS", ends).replace("WAITS", wait)) as process:
                    printed, complaint = process.communicate(timeout=PATIENCE)
                expected = f"True {ends == 'client.close'}\n0\n"
                self.assertEqual((process.returncode, printed, complaint), (0, expected, ""), (ends, wait))

    def test_a_signal_handler_may_close_what_is_just_being_closed(self) -> None:
        text = """
import signal
def handler(_number, _frame):
    operation.owner.close()
    client.close()
signal.signal(signal.SIGALRM, handler)
# It comes while the library ends what runs, and is handled as soon as that has returned.
release, comes = wmlicense._object.library().wm_release, [True]
class Library:
    def wm_release(self, handle):
        result = release(handle)
        if comes:
            comes.clear()
            signal.raise_signal(signal.SIGALRM)
        return result
wmlicense._object.library = Library
CLOSES()
client.close()
print(operation.done, wmlicense.live_objects())
"""
        for closes in ("operation.owner.close", "client.close"):
            with self.run_script(text.replace("CLOSES", closes)) as process:
                printed, complaint = process.communicate(timeout=PATIENCE)
            self.assertEqual((process.returncode, printed, complaint), (0, "True 0\n", ""), closes)

    def test_a_signal_handler_may_close_what_is_about_to_be_closed(self) -> None:
        text = """
import signal
signal.signal(signal.SIGALRM, lambda _number, _frame: other.close())
# It comes when the closing has begun, and the library was not asked yet.
release = wmlicense._object._release
def release_later(handle, gone):
    signal.raise_signal(signal.SIGALRM)
    release(handle, gone)
wmlicense._object._release = release_later
other = wmlicense.Individualizer(client)
other.close()
client.close()
print(other.closed, wmlicense.live_objects())
"""
        with self.run_script(text) as process:
            printed, complaint = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, printed, complaint), (0, "True 0\n", ""))

    def test_an_interpreter_that_ends_with_everything_open_neither_hangs_nor_crashes(self) -> None:
        endings = [
            "",
            "iterator = client.licenses()\nkept = [client, operation, iterator]\nkept.append(kept)\n",
            "threading.Thread(target=operation.wait, daemon=True).start()\n",
            "threading.Thread(target=lambda: asyncio.run(operation.__aenter__()), daemon=True).start()\n",
            "sys.exit(0)\n",
            "import os\nos._exit(0)\n",
            "task = operation.__await__()\n",
        ]
        for ending in endings:
            with self.run_script(ending) as process:
                printed, complaint = process.communicate(timeout=PATIENCE)
                self.assertEqual((process.returncode, printed), (0, ""), (ending, complaint))
                self.assertNotIn("Fatal", complaint)

    def test_a_forked_child_is_told_so_everywhere_and_the_parent_goes_on(self) -> None:
        client = self.device()
        acquire(client, [title(1)])
        request = LicenseRequest(client, key_ids=[title(2)])
        hanging = Individualizer(self.hanging("other"), user_consent=True)
        operation = hanging.individualize()
        # A thread that sleeps on the queue must not take its lock along.
        sleeper = threading.Thread(target=lambda: list(operation))
        sleeper.start()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if self.told_everywhere(client, request, operation) else 2
            finally:
                os._exit(code)
        _child, status = os.waitpid(child, 0)
        self.assertEqual(status, 0)
        operation.cancel()
        sleeper.join(PATIENCE)
        self.assertEqual(request.acquire_license().wait(PATIENCE).result, Result.S_LICENSE_ACQUIRED)
        self.assertEqual(stored(client), [title(1), title(2)])

    @staticmethod
    def told_everywhere(client: wmlicense.Client, request: LicenseRequest, operation: wmlicense.Operation) -> bool:
        calls: List[Callable[[], object]] = [
            lambda: list(client.licenses()),
            lambda: client.query_action_allowed(title(1)),
            lambda: request.acquire_license(),
            lambda: operation.wait(PATIENCE),
            lambda: operation.done,
            lambda: next(operation),
            lambda: Individualizer(client),
            lambda: wmlicense.kid_from_text(str(title(1))),
        ]
        for call in calls:
            try:
                call()
            except Forked as error:
                if error.result != Result.E_FORKED:
                    return False
            else:
                return False
        request.close()
        client.close()
        return True

    def test_processes_that_are_spawned_work(self) -> None:
        client = self.device()
        acquire(client, [title(1)])
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found = pool.apply(_count, [str(self.folder / "store"), AUTHORITY])
        self.assertEqual(found, 1)


def _count(store: str, authority: str) -> int:
    with wmlicense.Client(store, authority=authority) as client:
        return len(list(client.licenses()))


if __name__ == "__main__":
    unittest.main()
