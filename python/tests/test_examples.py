"""The examples of the package, run as an application is."""

from __future__ import annotations

import subprocess
import sys
import unittest
from typing import Tuple

from wmlicense import BackupRestorer

from support import AUTHORITY, PATIENCE, ROOT, TOKEN, URL, Case, acquire, owner, revocable, title


class Examples(Case):
    def restore(self, store: str, *service: str) -> Tuple[int, str]:
        example = str(ROOT / "examples-python" / "restore.py")
        command = [sys.executable, example, str(self.folder / store), AUTHORITY, str(self.folder / "usb"), *service]
        ended = subprocess.run(command, capture_output=True, universal_newlines=True, timeout=PATIENCE)
        return ended.returncode, ended.stdout + ended.stderr

    def test_a_backup_is_previewed_and_restored_here_and_elsewhere_whole_and_in_part(self) -> None:
        (self.folder / "usb").mkdir()
        client, taken = self.device("first"), revocable("Taken back")
        acquire(client, [title(1), taken])
        with BackupRestorer(client, backup_path=self.folder / "usb") as restorer:
            restorer.backup_licenses().wait(PATIENCE)
        client.close()
        code, printed = self.restore("first")
        self.assertEqual(code, 0, printed)
        self.assertIn("would come back: Title 1\n", printed)
        self.assertTrue(printed.endswith("restored: the store holds 2 licenses\n"), printed)
        code, printed = self.restore("second")
        self.assertEqual(code, 1)
        self.assertIn("WM_E_NEEDS_INDIVIDUALIZATION", printed)
        self.assertIn("Remedy: INDIVIDUALIZE", printed)
        owner("license", "revoke", "--kid", taken.hex, "--reason", "test")
        code, printed = self.restore("second", URL, TOKEN)
        self.assertEqual(code, 3, printed)
        self.assertIn("would come back: Title 1 (", printed)
        self.assertIn("would stay out: Taken back: ", printed)
        self.assertIn(f"refused: {taken}: ", printed)
        self.assertTrue(printed.endswith("restored: the store holds 1 licenses\n"), printed)
        self.assertEqual(self.restore("second", URL)[0], 2)


if __name__ == "__main__":
    unittest.main()
