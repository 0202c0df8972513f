"""Writes a backup of either version after docs/protocol.md, 9, alone. What it is of comes from read_backup.py."""

import hashlib
import itertools
import os
import time

import cbor2
from backup_parts import PADDING, is_stateful, seal, seal_stream, u32
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from read_vectors import ED25519, SERVICE, canonical, counter, expand, payload_of, sha256, signer_id

MANAGEMENT = 3
# Licenses in a page.
IN_PAGE = 7


def sign_footer(identity, payload):
    kind = "application/wmlicense-backup-footer+cose"
    protected = canonical({1: ED25519, 4: identity.thumbprint, 16: kind})
    aad = b"wmlicense/1".ljust(16, b"\0") + (9).to_bytes(2, "big") + identity.thumbprint
    signature = identity.signing.sign(canonical(["Signature1", protected, aad, payload]))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True)


def framed(item):
    encoded = canonical(item)
    return u32(len(encoded)) + encoded


def padding(length):
    gap = -length % PADDING
    for zeros in range(max(gap - 16, 0), PADDING * 2):
        item = framed([9, bytes(zeros)])
        if (length + len(item)) % PADDING == 0:
            return item
    raise AssertionError(gap)


def u16(number):
    return number.to_bytes(2, "big")


def page_of(licenses, key):
    entries = [(item.place, item.encoded, key.encrypt(counter(item.place), item.key, sha256(cbor2.loads(item.encoded)[0])))
               for item in licenses]
    front = b"".join(u16(place) + u16(len(license)) + u16(len(wrapped)) for place, license, wrapped in entries)
    keys = b"".join(wrapped for _, _, wrapped in entries)
    licenses = b"".join(license for _, license, _ in entries)
    return u16(len(entries)) + front + keys, licenses


class Writer:
    def __init__(self, version, content):
        self.version = version
        self.records = AESGCM(expand(content, b"wmlicense/1 record"))
        self.pages = AESGCM(expand(content, b"wmlicense/1 page key"))
        self.stream, self.footed = b"", hashlib.sha256()
        self.numbers = {8: itertools.count(), 11: itertools.count()}

    def put(self, raw, licenses=0):
        self.stream += raw
        self.footed.update(raw[: len(raw) - licenses])

    def batch(self, signed, licenses):
        self.put(framed([7, signed]))
        if self.version == 1:
            for license in sorted(licenses, key=lambda license: license.place):
                self.record(license)
            return
        # Pages and records in any order: the last pages first here, records among them.
        paged = [license for license in licenses if not is_stateful(license.policy())]
        pages = [paged[at : at + IN_PAGE] for at in range(0, len(paged), IN_PAGE)]
        for page in reversed(pages[1:]):
            self.page(page)
        for license in reversed([license for license in licenses if is_stateful(license.policy())]):
            self.record(license)
        for page in pages[:1]:
            self.page(page)

    def page(self, licenses):
        key = os.urandom(32)
        front, behind = page_of(licenses, AESGCM(key))
        wrapped_key = self.pages.encrypt(counter(next(self.numbers[11])), key, b"")
        self.put(framed([11, wrapped_key, front + behind]), len(behind))

    def record(self, license):
        number = next(self.numbers[8])
        fields = [number, license.place, cbor2.loads(license.encoded), license.state]
        wrapped = self.records.encrypt(counter(number), license.key, sha256(canonical(fields)))
        self.put(framed([8, [*fields, wrapped]]))


def service_ticket(section, meta, content, backup_id, number):
    """For the management service that the section's licenses name, if its certificate stands in the section."""
    policy = section.licenses[0].policy()
    certificates = [payload_of(item[1]) for item in section.before if item[0] == 2]
    for claims in certificates:
        if claims[11] == MANAGEMENT and claims[10] == policy.get(15):
            suite, public = claims[13][0]
            binding = cbor2.loads(cbor2.loads(section.licenses[0].encoded)[1])
            plain = {1: meta, 2: content, 3: binding[11], 4: section.identity.thumbprint, 6: int(time.time())}
            if 20 in policy:
                plain[5] = policy[20]
            info = b"wmlicense/1 backup service\0" + backup_id + u32(number)
            enc, ciphertext = seal(suite, public, canonical(plain), info)
            return [signer_id(SERVICE, [(suite, public)]), enc, ciphertext]
    return None


def write(sections, path, version):
    backup_id = os.urandom(16)
    keys, tickets = [], []
    for number, section in enumerate(sections):
        meta, content, identity = os.urandom(32), os.urandom(32), section.identity
        info = b"wmlicense/1 backup device\0" + backup_id + u32(number)
        enc, ciphertext = seal(identity.suite, identity.public, meta + content + section.store_id, info)
        ticket = {1: [identity.thumbprint, enc, ciphertext]}
        if section.service:
            ticket[2] = service_ticket(section, meta, content, backup_id, number)
        keys.append((meta, content))
        tickets.append(ticket)
    body = canonical({10: version, 11: backup_id, 12: tickets})
    header = b"WMBACKUP" + u32(len(body)) + body
    data = header
    for number, (section, (meta, content)) in enumerate(zip(sections, keys)):
        writer = Writer(version, content)
        for item in section.before:
            writer.put(framed(item))
        for batch, signed in enumerate(section.batches):
            writer.batch(signed, [license for license in section.licenses if license.batch == batch])
        if len(writer.stream) % PADDING:
            writer.put(padding(len(writer.stream)))
        kinds = [item[0] for item in section.before]
        counts = [len(section.batches), len(section.licenses), kinds.count(5), kinds.count(6)]
        payload = {6: int(time.time()), 10: backup_id, 11: number, 12: sha256(header), 13: writer.footed.digest(),
                   14: counts, 15: section.store_id}
        plain = writer.stream + framed([10, sign_footer(section.identity, canonical(payload))])
        sealed = seal_stream(meta, plain, number, header)
        data += len(sealed).to_bytes(8, "big") + sealed
    path.write_bytes(data)
