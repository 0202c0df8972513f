"""The one event queue of a client: who waits reads it for all, and wakes whom it concerns. No thread and no callback is used.

Threads that wait take turns: one sleeps on the descriptor of the queue, the others until it has read something. Event loops of
asyncio watch copies of the descriptor while something is awaited. Whoever reads an event puts it to its operation.
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import threading
import time
import weakref
from collections import deque
from ctypes import byref, c_int, sizeof
from typing import TYPE_CHECKING, Callable, Deque, Dict, List, Optional, Set

from . import _header
from ._library import call, error_of, library
from ._object import create
from ._results import Result
from .events import Event, event_of

if TYPE_CHECKING:
    from .operation import Operation, VerbObject

#: Longest sleep on a descriptor; the system takes no longer one.
_LONGEST = 3600.0


def _end(queue: int, descriptors: List[int]) -> None:
    library().wm_release(queue)
    for descriptor in descriptors:
        os.close(descriptor)


class _Watch:
    """What an event loop has of the descriptor while something is awaited in it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.waiting = 0


class Pump:
    """Reads the queue of a client. `lock` is held for moments only, never while anything waits."""

    def __init__(self, client: int) -> None:
        self._queue = create("wm_create_event_queue", client)
        descriptor = c_int(-1)
        self._descriptors: List[int] = []
        self._finalizer = weakref.finalize(self, _end, self._queue, self._descriptors)
        call("wm_event_queue_fd", self._queue, byref(descriptor))
        # A copy: it stays what it is however late somebody sleeps on it.
        self.descriptor = os.dup(descriptor.value)
        self._descriptors.append(self.descriptor)
        self._wake_reader, self._wake_writer = os.pipe()
        self._descriptors += [self._wake_reader, self._wake_writer]
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)
        self.lock = threading.Condition()
        self._sleeper: Optional[object] = None
        self._watches: Dict[asyncio.AbstractEventLoop, _Watch] = {}
        self._contexts = 0
        self.objects: "weakref.WeakValueDictionary[int, VerbObject]" = weakref.WeakValueDictionary()
        self.running: Dict[int, Deque["Operation"]] = {}

    def add(self, verbed: "VerbObject") -> int:
        """Takes an object in; its events come with the number that is answered."""
        with self.lock:
            self._contexts += 1
            self.objects[self._contexts] = verbed
            return self._contexts

    def remove(self, context: int) -> None:
        """An object that was not created in the end."""
        with self.lock:
            self.objects.pop(context, None)

    def check(self) -> None:
        """Raises in a forked child, where a lock may be held for ever, and after the end."""
        call("wm_event_queue_fd", self._queue, byref(c_int()))

    def runs_here(self) -> bool:
        """Whether it can be used: neither ended, nor in a child of the process that it belongs to."""
        return bool(library().wm_event_queue_fd(self._queue, byref(c_int())) >= 0)

    def start(self, verbed: "VerbObject", operation: "Operation", verb: Callable[[], object]) -> None:
        """Calls a verb; no event of it is read before its operation is known."""
        self.check()
        with self.lock:
            verb()
            self.running.setdefault(verbed.context, deque()).append(operation)

    # --- reading

    def read(self) -> None:
        """Reads what waits in the queue, without waiting for more."""
        with self.lock:
            found = False
            raw = _header.wm_event(struct_size=sizeof(_header.wm_event))
            while (result := library().wm_next_event(self._queue, 0, byref(raw))) >= 0:
                found = True
                self._put(raw.context or 0, event_of(raw))
            if result not in (Result.E_TIMEOUT, Result.E_INVALID_HANDLE, Result.E_OPERATION_CANCELED):
                raise error_of(result)
            if found:
                # The sleeper looks, and has all others look that wait behind it.
                self._wake_sleeper()

    def _put(self, context: int, event: Event) -> None:
        operations, verbed = self.running.get(context), self.objects.get(context)
        if operations:
            operations[0].take(event)
        elif verbed is not None:
            verbed.aside.append(event)

    def ended(self, operation: "Operation") -> None:
        """Called with the lock, when an operation has its final event."""
        context = operation.owner.context
        operations = self.running.get(context)
        if operations and operation in operations:
            operations.remove(operation)
            if not operations:
                del self.running[context]

    # --- threads

    def wait(self, ready: Callable[[], bool], timeout: Optional[float]) -> bool:
        """Waits until something is so, at most so many seconds (None: for ever). Ctrl-C ends it at once."""
        self.check()
        until = None if timeout is None else time.monotonic() + max(timeout, 0.0)
        token = object()
        while True:
            # The lock is not held while this thread sleeps; whatever interrupts it, the place of the sleeper becomes free.
            try:
                with self.lock:
                    self.read()
                    if ready():
                        return True
                    left = _LONGEST if until is None else until - time.monotonic()
                    if left <= 0:
                        return False
                    if self._sleeper is not None:
                        self.lock.wait(min(left, _LONGEST))
                        continue
                    self._sleeper = token
                self._sleep(left)
            finally:
                if self._sleeper is token:
                    self._sleeper = None
                    with self.lock:
                        self.lock.notify_all()

    def _sleep(self, left: float) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        for descriptor, _event in poll.poll(math.ceil(min(left, _LONGEST) * 1000)):
            if descriptor == self._wake_reader:
                os.read(self._wake_reader, 64)

    def _wake_sleeper(self) -> None:
        """What the sleeper waits for may have been read by another thread."""
        if self._sleeper is not None:
            try:
                os.write(self._wake_writer, b"\0")
            except BlockingIOError:
                pass  # It has more than enough to wake it.

    # --- event loops

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Has the loop read the queue until as many calls of `unwatch`. Called in the loop."""
        with self.lock:
            watch = self._watches.get(loop)
            if watch is None:
                watch = self._watches[loop] = _Watch(os.dup(self.descriptor))
                loop.add_reader(watch.descriptor, self.read)
            watch.waiting += 1

    def unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        """The end of `watch`."""
        with self.lock:
            watch = self._watches[loop]
            watch.waiting -= 1
            if watch.waiting > 0:
                return
            del self._watches[loop]
        try:
            loop.remove_reader(watch.descriptor)
        except RuntimeError:
            pass  # The loop was closed under what was awaited in it.
        os.close(watch.descriptor)

    # --- the end

    def unfinished(self) -> Set["Operation"]:
        """The operations that have no final event yet."""
        with self.lock:
            return {operation for operations in self.running.values() for operation in operations}

    def close(self) -> None:
        """Gives the queue back, when nobody sleeps on it any more."""
        if self.runs_here():
            with self.lock:
                while self._sleeper is not None:
                    self._wake_sleeper()
                    self.lock.wait()
        self._finalizer()
