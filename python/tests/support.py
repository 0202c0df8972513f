"""What the tests share: the live service that the environment names, folders, clients. No test lives here.

The names of the environment are those of tests/c/common.h; tests/whole_runs/python.rs sets them, and WM_TEST_ROOT, the repository.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence
from uuid import UUID, uuid4

import wmlicense
from wmlicense import Client, Decryptor, Individualizer, LicenseRequest, Sample
from wmlicense.errors import _BY_CATEGORY

URL = os.environ["WM_TEST_URL"]
AUTHORITY = os.environ["WM_TEST_AUTHORITY"]
TOKEN = os.environ["WM_TEST_TOKEN"]
GOLD_TOKEN = os.environ["WM_TEST_GOLD_TOKEN"]
MEDIA = Path(os.environ["WM_TEST_MEDIA"])
ROOT = Path(os.environ["WM_TEST_ROOT"])
#: Longest wait for what comes within moments, in seconds.
PATIENCE = 60.0

#: The catalogue of crates/testkit/src/c/service.rs.
PICTURE = UUID("a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8")
PICTURE_KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
TONE = UUID("0f0e0d0c-0b0a-0908-0706-050403020100")
NO_BACKUP = UUID("c1000000000000000000000000000001")
TWICE = UUID("c2000000000000000000000000000001")
ENDED = UUID("c3000000000000000000000000000001")
TO_COME = UUID("c4000000000000000000000000000001")
GOLD = UUID("c5000000000000000000000000000001")
DEMANDING = UUID("c8000000000000000000000000000001")
UNKNOWN = UUID("cf000000000000000000000000000000")


def title(number: int) -> UUID:
    """One of ten titles without conditions."""
    return UUID(f"c0{number:030x}")


def asked(number: int) -> UUID:
    """One of twelve titles that the user accepts on a page first; each test takes its own."""
    return UUID(f"ca{number:030x}")


def revocable(name: str) -> UUID:
    """A new title whose licenses the service's key takes back."""
    kid = uuid4()
    words = ["--kid", kid.hex, "--key", kid.hex[::-1], "--title", name, "--policy", "revocable", "--open"]
    owner("content", "add", *words)
    return kid


class Case(unittest.TestCase):
    """A test with a folder of its own, at whose end nothing of the library is left over."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="wmlicense "))
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.nothing_is_left)
        self._stack = contextlib.ExitStack()
        self.addCleanup(self._stack.close)

    def nothing_is_left(self) -> None:
        gc.collect()
        self.assertEqual(wmlicense.live_objects(), 0)

    def client(self, name: str = "store", **settings: Any) -> Client:
        """A client of the live service; another store for each name."""
        given = {"authority": AUTHORITY, "service_url": URL, "account_token": TOKEN, **settings}
        return self._stack.enter_context(Client(self.folder / name, **given))

    def device(self, name: str = "store", **settings: Any) -> Client:
        """A client whose device is individualized."""
        client = self.client(name, **settings)
        with Individualizer(client, user_consent=True) as individualizer:
            individualizer.individualize().wait(PATIENCE)
        return client

    def hanging(self, name: str = "store") -> Client:
        """A client whose service takes requests and never answers."""
        return self.client(name, service_url=self._stack.enter_context(silent_service()))

    def raises(self, result: wmlicense.Result) -> "contextlib.AbstractContextManager[Any]":
        """The block must fail with this result."""
        return _Raises(self, result)


class _Raises:
    """As assertRaises, with the result besides."""

    def __init__(self, case: unittest.TestCase, result: wmlicense.Result) -> None:
        self._case, self._result = case, result
        self.exception: Any = None

    def __enter__(self) -> "_Raises":
        return self

    def __exit__(self, _kind: object, error: Optional[BaseException], _trace: object) -> bool:
        if not isinstance(error, wmlicense.WmError):
            if error is None:
                self._case.fail(f"nothing failed with {self._result!r}")
            return False
        self._case.assertEqual(error.result, self._result, str(error))
        self._case.assertIsInstance(error, _BY_CATEGORY.get(error.category, wmlicense.WmError))
        self.exception = error
        return True


@contextlib.contextmanager
def silent_service() -> Iterator[str]:
    """An address where connections are taken and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def closed_port() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def acquire(client: Client, kids: Sequence[UUID]) -> wmlicense.Outcome:
    """Acquires licenses silently."""
    with LicenseRequest(client, key_ids=kids) as request:
        return request.acquire_license().wait(PATIENCE)


def use_once(client: Client, kid: UUID) -> None:
    """A use: the first sample that is decrypted."""
    with Decryptor(client, kid) as decryptor:
        decryptor.decrypt(bytearray(16), Sample(bytes(16)))


def stored(client: Client) -> List[UUID]:
    """The key IDs in the store."""
    return [license.kid for license in client.licenses()]


def owner(*words: str) -> str:
    """A command of the service's owner; answers what it printed."""
    command = [os.environ["WM_TEST_SERVICE_PROGRAM"], *words, "--data", os.environ["WM_TEST_SERVICE_DATA"]]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True).stdout


def user(url: str, decision: str = "accept") -> str:
    """The user at the page; answers the six digits that it shows."""
    command = [sys.executable, str(ROOT / "ci" / "user.py"), url]
    environment = {**os.environ, "DECISION": decision}
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, universal_newlines=True, env=environment).stdout
    return printed.split("the user sees ")[1].split(":")[0]


def post(url: str, body: bytes, token: Optional[str] = TOKEN) -> bytes:
    """An application's own HTTP."""
    headers = {"Content-Type": "application/cose"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body, headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=PATIENCE) as answer:
        content: bytes = answer.read()
        return content


def script(text: str, *words: str) -> "subprocess.Popen[str]":
    """Another Python with the same package; ends with the test at the latest."""
    command = [sys.executable, "-X", "dev", "-c", text, *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
