"""Operations: what a verb that runs in the background gives back. Wait for it, await it, iterate over its events, cancel it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from ctypes import byref, c_int32
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Awaitable, Callable, Deque, Generator, List, Optional, Tuple

from . import _values
from ._constants import IndividualizePhase, Status
from ._library import call, detail_of, library, name_of, result_message
from ._object import Object, create, deadline_property, of_client, retry_limit_property
from ._results import Result
from ._pump import LOOK_AGAIN
from .errors import CallError, ErrorDetail, WaitTimeout, error_from
from .events import Event, IndividualizeProgress

if TYPE_CHECKING:
    from .client import Client

_CANCELLED = (Result.S_ACQUIRE_CANCELLED, Result.S_MONITOR_CANCELLED)
_INDIVIDUALIZED = (IndividualizePhase.SUCCEED, IndividualizePhase.FAIL, IndividualizePhase.CANCEL)


@dataclass(frozen=True)
class Outcome:
    """How an operation ended that did not fail."""

    #: The result of the final event: a success, such as `Result.S_LICENSE_ACQUIRED` or `Result.S_RESTORE_PARTIAL`.
    result: Result
    #: Page where the user must act, if there is one.
    url: Optional[str] = None
    #: What it told that nobody iterated over; of progress the newest only.
    events: Tuple[Event, ...] = ()

    @property
    def license_stored(self) -> bool:
        """Whether an acquisition stored a license: other successes do not mean it."""
        return self.result == Result.S_LICENSE_ACQUIRED

    @property
    def is_partial(self) -> bool:
        """Whether a restore left something out; `events_of(Status.LICENSE_REFUSED)` and `Status.SECTION_CLOSED` tell why."""
        return self.result == Result.S_RESTORE_PARTIAL

    def events_of(self, status: Status) -> Tuple[Event, ...]:
        """The events of one status."""
        return tuple(event for event in self.events if event.status == status)


class Operation(Awaitable[Outcome]):
    """A verb that runs in the background. It goes on whether anybody waits for it or not.

    `wait()` in a thread and `await` in an event loop give its `Outcome` or raise what it failed with, again and again if you
    like. `for event in operation` and `async for event in operation` give its events up to the final one; each event goes to
    one of those that iterate. In a `with` or `async with` statement it is cancelled if it still runs at the end.

    Who waits, awaits or iterates reads for all operations of the client. While nobody does, 1024 events wait in the library;
    then operations pause. Any thread and any event loop may use it, several at a time.
    """

    def __init__(self, owner: "VerbObject", final: Status) -> None:
        self.owner = owner
        self._pump = owner.client._pump
        self._final_status = final
        self._events: Deque[Event] = deque()
        self._final: Optional[Event] = None
        self._futures: List["asyncio.Future[None]"] = []

    def __repr__(self) -> str:
        state = "running" if self._final is None else self._final.result.name
        return f"<wmlicense.Operation of {type(self.owner).__name__}: {state}>"

    # --- what the pump gives

    def _take(self, event: Event) -> None:
        """Takes an event in; the pump calls it, with its lock."""
        if event.is_progress and self._events and self._events[-1].status == event.status:
            self._events.pop()
        self._events.append(event)
        if self._is_final(event):
            self._final = event
            self._pump.ended(self)
        for future in self._futures:
            try:
                future.get_loop().call_soon_threadsafe(_finish, future)
            except RuntimeError:
                pass  # Its loop was closed.

    def _is_final(self, event: Event) -> bool:
        if event.status != self._final_status:
            return False
        if isinstance(event.value, IndividualizeProgress):
            return event.value.phase in _INDIVIDUALIZED
        return True

    def _is_over(self) -> bool:
        """Whether the final event came. Where Ctrl-C met it between queue and operation, it is made anew. With the lock."""
        if self._final is not None:
            return True
        latest = self._pump.running.get(self.owner._context)
        if not latest or latest[-1] is not self:
            return False
        result, answer = self.owner._wait_result()
        if result == Result.E_TIMEOUT or (result < 0 and not self.owner._gone.is_set()):
            return False
        # It is idle only after its final event went into the queue: read once more before that is called lost.
        self._pump.read()
        if self._final is None:
            ended = answer if result >= 0 else Result.E_OPERATION_CANCELED
            error = error_from(detail_of(ended)) if ended < 0 else None
            self._final = Event(self._final_status, Result(ended), None, error)
            self._events.append(self._final)
            self._pump.ended(self)
        return True

    def _has_event(self) -> bool:
        return bool(self._events) or self._is_over()

    def _wait(self, ready: Callable[[], bool], timeout: Optional[float]) -> bool:
        # What is over needs no queue, which may be gone.
        return self._final is not None or self._pump.wait(ready, timeout)

    # --- for everybody

    @property
    def done(self) -> bool:
        """Whether it is over. Reads what waits in the queue, without waiting for more."""
        return self._wait(self._is_over, 0)

    def cancel(self) -> None:
        """Asks it to stop, and never waits: its final event tells that it has, within 100 ms. Does nothing when it is over."""
        with self._pump.lock:
            latest = self._pump.running.get(self.owner._context)
            if self._final is not None or not latest or latest[-1] is not self:
                return
            try:
                call("wm_cancel", self.owner._handle)
            except CallError:
                # Whoever closed its object has cancelled it.
                if not self.owner.closed:
                    raise

    def _outcome(self) -> Outcome:
        assert self._final is not None
        result, url, events = self._final.result, self._final.url, tuple(self._events)
        if self._final.error is not None:
            raise error_from(dataclasses.replace(self._final.error.detail, url=url, events=events))
        if result in _CANCELLED:
            raise error_from(ErrorDetail(result, name_of(result), result_message(result), events=events))
        return Outcome(result, url, events)

    # --- in a thread

    def wait(self, timeout: Optional[float] = None) -> Outcome:
        """Waits until it is over, at most so many seconds; None waits for ever, 0 only looks. Other threads run meanwhile.

        Raises what the operation failed with, `Cancelled` where it was cancelled, and `WaitTimeout` (a `TimeoutError`) if it
        still runs. `KeyboardInterrupt` comes through at once; the operation goes on then, unless a `with` statement ends it.
        """
        until = None if timeout is None else _values.seconds(timeout, "timeout")
        if not self._wait(self._is_over, until):
            raise WaitTimeout(_still_running())
        return self._outcome()

    def __iter__(self) -> "Operation":
        return self

    def __next__(self) -> Event:
        while True:
            self._wait(self._has_event, None)
            with self._pump.lock:
                if self._events:
                    return self._events.popleft()
                if self._final is not None:
                    raise StopIteration

    def __enter__(self) -> "Operation":
        return self

    def __exit__(self, *_failure: object) -> None:
        if not self.done:
            self.cancel()
            self._wait(self._is_over, None)

    # --- in an event loop

    async def _until(self, ready: Callable[[], bool]) -> None:
        if self._final is not None:
            return
        self._pump.check()
        loop = asyncio.get_running_loop()
        self._pump.watch(loop)
        try:
            while True:
                with self._pump.lock:
                    self._pump.read()
                    if ready():
                        return
                    future: "asyncio.Future[None]" = loop.create_future()
                    self._futures.append(future)
                again = loop.call_later(LOOK_AGAIN, _finish, future)
                try:
                    await future
                finally:
                    again.cancel()
                    with self._pump.lock:
                        self._futures.remove(future)
        finally:
            self._pump.unwatch(loop)

    async def _until_or_cancel(self, ready: Callable[[], bool]) -> None:
        """A task that is cancelled cancels the operation, and ends when that has ended."""
        try:
            await self._until(ready)
        except asyncio.CancelledError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Cancels it if it still runs, and waits until it is over without blocking the event loop. Raises nothing of its end."""
        self.cancel()
        interrupted = False
        while self._final is None:
            try:
                await self._until(self._is_over)
            except asyncio.CancelledError:
                interrupted = True  # It ends soon; then the task does.
        if interrupted:
            raise asyncio.CancelledError

    async def _end(self) -> Outcome:
        await self._until_or_cancel(self._is_over)
        return self._outcome()

    def __await__(self) -> Generator[Any, None, Outcome]:
        return self._end().__await__()

    def __aiter__(self) -> "Operation":
        return self

    async def __anext__(self) -> Event:
        while True:
            await self._until_or_cancel(self._has_event)
            with self._pump.lock:
                if self._events:
                    return self._events.popleft()
                if self._final is not None:
                    raise StopAsyncIteration

    async def __aenter__(self) -> "Operation":
        return self

    async def __aexit__(self, *_failure: object) -> None:
        await self.stop()


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _still_running() -> ErrorDetail:
    result = Result.E_TIMEOUT
    return ErrorDetail(result, name_of(result), result_message(result))


class VerbObject(Object):
    """An object with verbs that run in the background, one at a time. A second one meanwhile raises `Busy`."""

    def __init__(self, client: "Client", create_function: str) -> None:
        self.client: "Client" = of_client(client)
        #: What the library told outside of any operation.
        self._aside: Deque[Event] = deque()
        self._context = client._pump.add(self)
        try:
            super().__init__(create(create_function, client._handle, None, self._context))
        except BaseException:
            client._pump.remove(self._context)
            raise

    def _start(self, final: Status, verb: str, *arguments: int) -> Operation:
        """Calls a verb that runs in the background and ends with this status."""
        operation = Operation(self, final)
        self.client._pump.start(self, operation, lambda: call(verb, self._handle, *arguments))
        return operation

    def _wait_result(self) -> Tuple[int, int]:
        """What the library says at this moment: whether the latest operation is over, and with which result."""
        answer = c_int32()
        return library().wm_wait(self._handle, 0, byref(answer)), answer.value


class AskingObject(VerbObject):
    """One whose verbs may ask a service."""

    deadline = deadline_property()
    retry_limit = retry_limit_property()
