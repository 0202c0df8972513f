"""The one event queue of a client: who waits reads it for all, and wakes whom it concerns. No thread and no callback is used.

Threads that wait take turns: one sleeps on the descriptor of the queue, the others until it has read something. Event loops of
asyncio watch copies of the descriptor while something is awaited. Whoever reads an event puts it to its operation.
"""

from __future__ import annotations

import asyncio
import math
import os
import select
import sys
import threading
import time
import weakref
from collections import deque
from ctypes import byref, c_int, sizeof
from types import FrameType
from typing import TYPE_CHECKING, Callable, Deque, Dict, List, Optional, Set

from . import _header
from ._library import call, error_of, library
from ._object import create
from ._results import Result
from .events import Event, event_of

if TYPE_CHECKING:
    from .operation import Operation, VerbObject

#: After so many seconds whoever waits looks by itself. Everything wakes those whom it concerns; but Ctrl-C strikes between any two
#: steps of Python, those that wake others included.
LOOK_AGAIN = 2.0


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
        # Of C: Ctrl-C cannot leave it locked, as it can what is written in Python.
        self.lock = threading.RLock()
        #: The thread that sleeps on the descriptor.
        self._sleeper: Optional[int] = None
        self._followers: List[threading.Lock] = []
        self._watches: Dict[asyncio.AbstractEventLoop, _Watch] = {}
        #: The queue is gone, and a sleep that has not ended still has its descriptors.
        self._ends = False
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
            self.running.setdefault(verbed._context, deque()).append(operation)

    # --- reading

    def read(self) -> None:
        """Reads what waits in the queue, without waiting for more."""
        with self.lock:
            found = False
            raw = _header.wm_event(struct_size=sizeof(_header.wm_event))
            try:
                while (result := library().wm_next_event(self._queue, 0, byref(raw))) >= 0:
                    found = True
                    self._put(raw.context or 0, event_of(raw))
            finally:
                if found:
                    self._wake_sleeper()
            if result not in (Result.E_TIMEOUT, Result.E_INVALID_HANDLE, Result.E_OPERATION_CANCELED):
                raise error_of(result)

    def _put(self, context: int, event: Event) -> None:
        operations, verbed = self.running.get(context), self.objects.get(context)
        if operations:
            operations[0]._take(event)
        elif verbed is not None:
            verbed._aside.append(event)

    def ended(self, operation: "Operation") -> None:
        """Called with the lock, when an operation has its final event."""
        context = operation.owner._context
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
        turn = threading.Lock()
        while True:
            # The lock is not held while this thread sleeps; whatever interrupts it, the place of the sleeper becomes free.
            try:
                with self.lock:
                    self.read()
                    if ready():
                        return True
                    left = LOOK_AGAIN if until is None else min(until - time.monotonic(), LOOK_AGAIN)
                    if left <= 0:
                        return False
                    sleeps = self._is_mine()
                    if sleeps:
                        self._sleeper = threading.get_ident()
                    else:
                        turn.acquire(blocking=False)
                        self._followers.append(turn)
                if sleeps:
                    self._sleep(left)
                else:
                    turn.acquire(timeout=left)
            finally:
                self._leave(turn)

    def _is_mine(self) -> bool:
        """Whether no other thread has the place of the sleeper. Ctrl-C may have left it to this one."""
        return self._sleeper in (None, threading.get_ident())

    def _leave(self, turn: threading.Lock) -> None:
        with self.lock:
            if turn in self._followers:
                self._followers.remove(turn)
            elif self._interrupts_sleep():
                # It has the place of the sleeper still, and what it sleeps for may be here.
                self._wake()
            elif self._is_mine():
                self._sleeper = None
                for follower in self._followers:
                    if follower.locked():
                        follower.release()
            if self._ends and not self._interrupts_sleep():
                self._finalizer()

    def _interrupts_sleep(self) -> bool:
        """Whether a signal handler calls this that interrupted this very thread in `_sleep`, which goes on afterwards. Only the stack
        knows for sure: Ctrl-C may keep anything from being noted."""
        frame: Optional[FrameType] = sys._getframe()
        while frame is not None:
            if frame.f_code is Pump._sleep.__code__ and frame.f_locals.get("self") is self:
                return True
            frame = frame.f_back
        return False

    def _sleep(self, left: float) -> None:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLIN)
        poll.register(self._wake_reader, select.POLLIN)
        for descriptor, _event in poll.poll(math.ceil(left * 1000)):
            if descriptor == self._wake_reader:
                os.read(self._wake_reader, 64)

    def _wake_sleeper(self) -> None:
        """What the sleeper waits for may have been read by another thread."""
        if self._sleeper is not None:
            self._wake()

    def _wake(self) -> None:
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
            self.wait(self._is_alone, LOOK_AGAIN)
            if self._interrupts_sleep():
                # The descriptors go with the end of that sleep: their numbers may soon be those of others.
                library().wm_release(self._queue)
                self._ends = True
                self._wake()
                return
        self._finalizer()

    def _is_alone(self) -> bool:
        """With the lock: no other thread sleeps on the descriptors."""
        self._wake_sleeper()
        return self._is_mine()
