#!/usr/bin/env python3
"""Restores a backup in an event loop: first tells what would come back, then does it, with progress and with Ctrl-C.

Run:  ./restore.py STORE AUTHORITY FOLDER [SERVICE_URL TOKEN]

STORE is the folder of the license store, AUTHORITY the text that `wmlicensed init` printed, FOLDER the one that holds the backup. On
the device that made it no service is needed; on another one SERVICE_URL and an account's TOKEN are, and the user agrees to
individualization. Needs the package `wmlicense` (python/README.md). Exit codes: 0 restored, 1 not, 2 usage, 3 restored in part.
Prints:
  would come back: TITLE              (or: would stay out: TITLE: WHY; other devices that hold it are counted)
  80 of 120                           (progress)
  refused: KEY_ID: WHY                (and: closed: N parts: WHY, more about it: URL)
  restored: the store holds N licenses
"""

from __future__ import annotations

import asyncio
import sys
from typing import Optional

import wmlicense
from wmlicense import BackupRestorer, Client, Event, Individualizer, Progress, RestoreVerdict, SectionClosed, Status


def why(event: Event) -> str:
    return event.error.message if event.error is not None else ""


async def preview(restorer: BackupRestorer) -> None:
    async for event in (operation := restorer.preview_restore()):
        if isinstance(event.value, RestoreVerdict):
            name = event.value.title or str(event.value.kid)
            devices = f" ({event.value.devices_used} of {event.value.devices_limit} devices)" if event.value.devices_limit else ""
            print(f"would stay out: {name}: {why(event)}" if event.error else f"would come back: {name}{devices}")
    await operation  # Raises what it failed with.


async def restore(restorer: BackupRestorer) -> bool:
    """Answers whether everything came back."""
    async for event in (operation := restorer.restore_licenses()):
        if isinstance(event.value, Progress) and event.value.total:
            print(f"{event.value.done} of {event.value.total}")
        elif event.status == Status.LICENSE_REFUSED:
            print(f"refused: {event.kid}: {why(event)}")
        elif isinstance(event.value, SectionClosed):
            print(f"closed: {event.value.sections} parts: {why(event)}")
        if event.url is not None:
            print(f"more about it: {event.url}")
    return not (await operation).is_partial


async def work(store: str, authority: str, folder: str, service: Optional[str] = None, token: Optional[str] = None) -> int:
    async with Client(store, authority=authority, service_url=service, account_token=token) as client:
        if service is not None and not client.individualized:
            await Individualizer(client, user_consent=True).individualize()
        with BackupRestorer(client, restore_path=folder) as restorer:
            await preview(restorer)
            whole = await restore(restorer)
        print(f"restored: the store holds {len(list(client.licenses()))} licenses")
    return 0 if whole else 3


def main() -> int:
    if len(sys.argv) not in (4, 6):
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return asyncio.run(work(*sys.argv[1:]))
    except wmlicense.WmError as error:
        print(f"{error} Remedy: {error.remedy.name}. {error.url or ''}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
