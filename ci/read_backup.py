#!/usr/bin/env python3
"""Reads and writes backups without the library, after docs/protocol.md, 9, and docs/formats.md alone.

    read_backup.py read STORE BACKUP         a line for each license: LID, KID, key, whether it stands in a page or a record
    read_backup.py write STORE BACKUP NEW    the same licenses in a file of version 2 of its own: other keys, other pages
    read_backup.py write1 STORE BACKUP NEW   the same in a file of version 1

STORE is the folder of the device that made the backup; of it only `device.key` is read. What is wrong ends with an error.
"""

import hashlib
import itertools
import pathlib
import sys

import cbor2
import write_backup
from backup_parts import PADDING, License, Section, identities, is_stateful, open_stream, u32
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from read_vectors import Cddl, canonical, counter, expand, page_licenses, payload_of, service_keys, sha256, single, verify


def items_of(plain):
    while plain:
        length = int.from_bytes(plain[:4], "big")
        assert len(plain) >= 4 + length, "an item is cut short"
        yield plain[: 4 + length]
        plain = plain[4 + length :]


class Reader:
    """One section, read to its footer."""

    def __init__(self, version, cddl, identity, content):
        self.version, self.cddl, self.identity = version, cddl, identity
        self.records = AESGCM(expand(content, b"wmlicense/1 record"))
        self.pages = AESGCM(expand(content, b"wmlicense/1 page key"))
        self.before, self.batches, self.licenses = [], [], []
        self.signers, self.seen, self.manifest = {}, set(), b""
        self.numbers = {8: itertools.count(), 11: itertools.count()}

    def item(self, kind, item):
        if kind == 2:
            payload = payload_of(item[1])
            self.signers.update(service_keys(payload))
        if kind < 7:
            assert not self.batches
            self.before.append(item)
        elif kind == 7:
            answer = verify(item[1], 11, "answer", self.signers)
            assert answer[12] == self.identity.thumbprint, "an answer to another device"
            self.batches.append(item[1])
            self.seen, self.manifest = set(), answer[21]
        elif kind == 8:
            self.record(item[1])
        elif kind == 11:
            assert self.version == 2, "a page in a file of version 1"
            self.page(item[1], item[2])

    def record(self, record):
        number, place, license, state, wrapped = record
        assert number == next(self.numbers[8]), "records are out of order"
        assert self.version == 2 or all(seen < place for seen in self.seen)
        key = self.records.decrypt(counter(number), wrapped, sha256(canonical(record[:4])))
        self.take(place, canonical(license), state, key, False)

    def page(self, wrapped_key, page):
        key = AESGCM(self.pages.decrypt(counter(next(self.numbers[11])), wrapped_key, b""))
        for place, encoded, wrapped in page_licenses(page):
            inner = key.decrypt(counter(place), wrapped, sha256(cbor2.loads(encoded)[0]))
            self.take(place, encoded, {}, inner, True)

    def take(self, place, encoded, state, key, in_page):
        self.cddl.check("license", encoded)
        assert place not in self.seen, "a license comes twice"
        self.seen.add(place)
        assert self.manifest[32 * place : 32 * place + 32] == sha256(encoded), "not in the manifest"
        license = License(len(self.batches) - 1, place, encoded, state, key, in_page)
        policy, binding = license.policy(), cbor2.loads(cbor2.loads(encoded)[1])
        assert binding[10] == sha256(cbor2.loads(encoded)[0]) and binding[12] == self.identity.thumbprint
        assert len(key) == (16 if policy[11] == 0 else 32)
        assert not in_page or not is_stateful(policy), "a license with a state in a page"
        self.licenses.append(license)


def read_section(version, cddl, number, header, section, sealed, known):
    ticket = section[1]
    identity = known[ticket[0]]
    backup_id = cbor2.loads(header[12:])[11]
    info = b"wmlicense/1 backup device\0" + backup_id + u32(number)
    opened = identity.open(ticket[1], ticket[2], info)
    meta, content, store_id = opened[:32], opened[32:64], opened[64:]
    assert len(store_id) == 16
    plain = open_stream(meta, sealed, number, header)
    reader, footed, length, footer = Reader(version, cddl, identity, content), hashlib.sha256(), 0, None
    for raw in items_of(plain):
        assert footer is None, "bytes behind the footer"
        cddl.check("item", raw[4:])
        item = cbor2.loads(raw[4:])
        if item[0] == 10:
            footer = verify(item[1], 9, "backup-footer", {identity.thumbprint: single(identity.verifying)})
            continue
        reader.item(item[0], item)
        licenses = sum(len(encoded) for _, encoded, _ in page_licenses(item[2])) if item[0] == 11 else 0
        footed.update(raw[: len(raw) - licenses])
        length += len(raw)
    assert length % PADDING == 0
    kinds = [item[0] for item in reader.before]
    counts = [len(reader.batches), len(reader.licenses), kinds.count(5), kinds.count(6)]
    expected = {10: backup_id, 11: number, 12: sha256(header), 13: footed.digest(), 14: counts, 15: store_id}
    assert {key: footer[key] for key in expected} == expected, "the footer says something else"
    return Section(identity, store_id, section.get(2), reader.before, reader.batches, reader.licenses)


def read(store, path, cddl):
    known = {identity.thumbprint: identity for identity in identities(store)}
    data = path.read_bytes()
    end = 12 + int.from_bytes(data[8:12], "big")
    header, data = data[:end], data[end:]
    assert header[:8] == b"WMBACKUP"
    cddl.check("backup-header", header[12:])
    content = cbor2.loads(header[12:])
    sections = []
    for number, section in enumerate(content[12]):
        length = int.from_bytes(data[:8], "big")
        sealed, data = data[8 : 8 + length], data[8 + length :]
        sections.append(read_section(content[10], cddl, number, header, section, sealed, known))
    assert not data, "bytes behind the last section"
    return sections


def main(what, store, backup, new=None):
    cddl = Cddl(pathlib.Path(__file__).parent.parent / "docs" / "protocol.cddl")
    sections = read(pathlib.Path(store), pathlib.Path(backup), cddl)
    for license in (license for section in sections for license in section.licenses):
        policy = license.policy()
        print(policy[7].hex(), policy[10].hex(), license.key.hex(), "page" if license.in_page else "record")
    if new is not None:
        write_backup.write(sections, pathlib.Path(new), 1 if what == "write1" else 2)


if __name__ == "__main__":
    if "".join(sys.argv[1:2]) not in {4: ["read"], 5: ["write", "write1"]}.get(len(sys.argv), []):
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")
