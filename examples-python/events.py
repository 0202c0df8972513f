#!/usr/bin/env python3
"""Individualizes and acquires from Python with ctypes only: no callback on a foreign thread, all events from a queue.

Run:  ./events.py LIBRARY STORE AUTHORITY SERVICE_URL TOKEN KEY_IDS

KEY_IDS are base64 with semicolons between. Prints a line per event, then `licenses: N`.
"""
import ctypes
import select
import sys
from ctypes import byref, c_char_p, c_int, c_int32, c_size_t, c_uint32, c_void_p

STATUS_ACQUIRE_LICENSE, STATUS_INDIVIDUALIZE = 23, 24  # WM_STATUS_*
ACQUIRE_SILENT = 1
S_LICENSE_ACQUIRED, S_INDIVIDUALIZED = 0x000D2726, 0x000D2727
E_TIMEOUT, E_NO_MORE_ITEMS = c_int32(0xC00D2A02).value, c_int32(0x80070103).value


class Event(ctypes.Structure):
    """wm_event."""

    _fields_ = [
        ("struct_size", c_size_t),
        ("object", c_void_p),
        ("context", c_void_p),
        ("status", c_int32),
        ("result", c_int32),
        ("type", c_int32),
        ("value", c_void_p),
        ("size", c_size_t),
    ]


class Failed(Exception):
    """A call answered a failure."""


class Library:
    """Calls functions by name, raises on failure; handles are plain numbers."""

    def __init__(self, path):
        self.lib = ctypes.CDLL(path)
        for name in ("wm_result_name", "wm_status_name"):
            function = getattr(self.lib, name)
            function.restype, function.argtypes = c_char_p, [c_int32]

    def result_name(self, result):
        return self.lib.wm_result_name(result).decode()

    def status_name(self, status):
        return self.lib.wm_status_name(status).decode()

    def call(self, name, *arguments, accept=()):
        function = getattr(self.lib, name)
        function.restype = c_int32
        result = function(*arguments)
        if result < 0 and result not in accept:
            raise Failed(f"{name}: {self.result_name(result)}")
        return result

    def create(self, name, *arguments):
        handle = c_void_p()
        self.call(name, *arguments, byref(handle))
        return handle

    def set_text(self, handle, name, value):
        self.call("wm_set_string_prop", handle, name.encode(), value.encode())


def events(library, queue, last):
    """The events of the queue, to the final status of the object `last`."""
    fd = c_int(-1)
    library.call("wm_event_queue_fd", queue, byref(fd))
    poll = select.poll()  # an asyncio loop would take the descriptor by add_reader
    poll.register(fd.value, select.POLLIN)
    while poll.poll():
        event = Event(struct_size=ctypes.sizeof(Event))
        if library.call("wm_next_event", queue, c_uint32(0), byref(event), accept=[E_TIMEOUT]) == E_TIMEOUT:
            continue
        yield event
        final = event.result < 0 or event.result in (S_LICENSE_ACQUIRED, S_INDIVIDUALIZED)
        if event.object == last.value and final and event.status in (STATUS_ACQUIRE_LICENSE, STATUS_INDIVIDUALIZE):
            return


def count_licenses(library, client):
    licenses = library.create("wm_create_license_enumerator", client)
    count = 0
    while library.call("wm_next_license", licenses, accept=[E_NO_MORE_ITEMS]) != E_NO_MORE_ITEMS:
        count += 1
    library.call("wm_release", licenses)
    return count


def main(path, store, authority, service, token, key_ids):
    library = Library(path)
    client = library.create("wm_create_client")
    for name, value in (("StorePath", store), ("Authority", authority), ("ServiceURL", service), ("AccountToken", token)):
        library.set_text(client, name, value)
    library.call("wm_open_client", client)
    queue = library.create("wm_create_event_queue", client)
    individualizer = library.create("wm_create_individualizer", client, None, None)
    request = library.create("wm_create_license_request", client, None, None)
    library.call("wm_set_bool_prop", individualizer, b"UserConsent", ctypes.c_bool(True))
    library.set_text(request, "KeyIDs", key_ids)
    outcome = 0
    for handle, verb, flags in ((individualizer, "wm_individualize", 0), (request, "wm_acquire_license", ACQUIRE_SILENT)):
        library.call(verb, handle, c_uint32(flags))
        for event in events(library, queue, handle):
            outcome = event.result
            print(library.status_name(event.status), library.result_name(event.result))
        if outcome < 0:
            break
    print("licenses:", count_licenses(library, client))
    for handle in (request, individualizer, queue, client):
        library.call("wm_release", handle)
    library.lib.wm_live_objects.restype = c_size_t
    assert library.lib.wm_live_objects() == 0
    return 0 if outcome == S_LICENSE_ACQUIRED else 1


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
