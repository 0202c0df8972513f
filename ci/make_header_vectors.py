#!/usr/bin/env python3
"""Writes the vectors of content headers into tests/vectors/headers: good headers of every kind with what they say, and
hostile ones with the error that names byte and field. Written against the formats, not against the library."""

import base64
import pathlib
import sys

import header_vectors_bad
import header_vectors_good
import header_vectors_kinds

FOLDER = pathlib.Path(__file__).parent.parent / "tests" / "vectors" / "headers"


def write(name, kind, about, expect, lines, data):
    encoded = base64.b64encode(data).decode()
    rows = [f"about: {about}", f"read-as: {kind}", f"expect: {expect}", *lines, ""]
    rows += [encoded[at : at + 100] for at in range(0, len(encoded), 100)]
    path = FOLDER / f"{name}.wmv"
    if path.exists():
        sys.exit(f"{name} is there twice")
    path.write_text("\n".join(rows) + "\n")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.wmv"):
        path.unlink()
    for kind, vectors in [*header_vectors_good.ALL.items(), *header_vectors_kinds.ALL.items()]:
        for name, about, data, gives in vectors:
            lines = [f"gives-{field}: {value}" for field, value in gives.items()]
            write(f"{kind}-{name}", kind, about, "ok", lines, data)
    for kind, vectors in header_vectors_bad.ALL.items():
        for name, about, data, expect, says in vectors:
            write(f"{kind}-bad-{name}", kind, about, expect, [f"says: {says}"], data)


main()
