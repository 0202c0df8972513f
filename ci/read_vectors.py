#!/usr/bin/env python3
"""Reads the vectors of a folder without the library: an independent word on docs/protocol.md and docs/protocol.cddl.

What is accepted must re-encode to the same bytes, have the form of the CDDL, be signed as the protocol says, and give
the keys that the file states. What the file calls badly signed, damaged or not in its manifest must be so here as well.
"""

import base64
import hashlib
import hmac
import pathlib
import sys

import cbor2
from cddl_verifier import Validator
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

AUTHORITY, SERVICE, DEVICE, REVOCATION = 1, 2, 3, 4
ED25519, ML_DSA_65 = -19, -49
# Code of the document and last part of its type, by what a vector is read as.
DOCUMENTS = {
    "authority-certificate": (1, "authority"),
    "service-certificate": (2, "service-certificate"),
    "device-certificate": (4, "device-certificate"),
    "service-document": (5, "service-document"),
    "signed-time": (6, "time"),
    "status-list": (3, "status-list"),
    "request": (7, "request"),
    "acknowledgement": (8, "acknowledgement"),
    "revocation": (12, "revocation"),
    "footer": (9, "backup-footer"),
    "answer": (11, "answer"),
    "given": (11, "answer"),
}
ANSWERS = ("answer", "given")


class Vector:
    def __init__(self, path):
        head, body = path.read_text().split("\n\n", 1)
        self.name = path.stem
        self.fields = dict(line.split(": ", 1) for line in head.splitlines())
        self.bytes = base64.b64decode(body)

    def __getitem__(self, name):
        return self.fields[name]

    def hex(self, name):
        return bytes.fromhex(self[name])


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def canonical(value):
    return cbor2.dumps(value, canonical=True)


def signer_id(kind, keys):
    return sha256(b"wmlicense/1 key\0", bytes([kind]), canonical([[alg, key] for alg, key in keys]))


def counter(number):
    return bytes(4) + number.to_bytes(8, "big")


def expand(key, label, more=b""):
    return hmac.digest(key, label + b"\0" + more + b"\1", "sha256")


# Signed documents


def verify(data, code, name, keys):
    """The payload of a signed document, if the key of its signer in `keys` signed it."""
    tag = cbor2.loads(data)
    protected, unprotected, payload, rest = tag.value
    assert unprotected == {} and tag.tag in (18, 98)
    media_type = f"application/wmlicense-{name}+cose"
    if tag.tag == 18:
        header = cbor2.loads(protected)
        assert header == {1: ED25519, 4: header[4], 16: media_type}
        signatures = [(None, header, rest)]
    else:
        assert cbor2.loads(protected) == {16: media_type}
        signatures = [(part[0], cbor2.loads(part[0]), part[2]) for part in rest]
        assert [header[1] for _, header, _ in signatures] == [ED25519, ML_DSA_65]
    for own, header, signature in signatures:
        aad = b"wmlicense/1".ljust(16, b"\0") + code.to_bytes(2, "big") + header[4]
        assert len(aad) == 50
        structure = ["Signature1", protected, aad, payload] if own is None else ["Signature", protected, own, aad, payload]
        keys[header[4]][header[1]].verify(signature, canonical(structure))
    return cbor2.loads(payload)


def single(key):
    return {ED25519: Ed25519PublicKey.from_public_bytes(key)}


def dual_keys(kind, payload):
    ids = signer_id(kind, [(ED25519, payload[10]), (ML_DSA_65, payload[11])])
    ml_dsa = MLDSA65PublicKey.from_public_bytes(payload[11])
    return {ids: {ED25519: Ed25519PublicKey.from_public_bytes(payload[10]), ML_DSA_65: ml_dsa}}


def service_keys(payload):
    return {signer_id(SERVICE, [(ED25519, payload[12])]): single(payload[12])}


def device_keys(payload):
    suite, key = payload[12]
    return {signer_id(DEVICE, [(ED25519, payload[11]), (suite, key)]): single(payload[11])}


def payload_of(data):
    return cbor2.loads(cbor2.loads(data).value[2])


def signed_part(vector):
    return cbor2.loads(vector.bytes)[1] if vector["read-as"] in ANSWERS else vector.bytes


def keys_for(vector, vectors):
    """The keys that may have signed a vector."""
    kind = vector["read-as"]
    if kind == "authority-certificate":
        return dual_keys(AUTHORITY, payload_of(vector.bytes))
    if kind == "revocation":
        return dual_keys(REVOCATION, payload_of(vector.bytes))
    if kind in ("service-certificate", "status-list"):
        return dual_keys(AUTHORITY, payload_of(vectors[vector["authority"]].bytes))
    if kind == "service-document":
        found = {}
        for certificate in payload_of(vector.bytes)[11]:
            found.update(service_keys(payload_of(certificate)))
        return found
    if kind in ("request", "footer", "acknowledgement"):
        return device_keys(payload_of(vectors[vector["device"]].bytes))
    found = {}
    for name in vector["certificates"].split(" "):
        found.update(service_keys(payload_of(vectors[name].bytes)))
    return found


# The form that docs/protocol.cddl gives

# Refusals for the form alone, and the vectors among them whose fault the CDDL cannot tell: bytes that are not zero, order, a length,
# and what stands under a number that readers may skip.
FORM = ("encoding", "missing", "value", "unknown", "too-long", "wrong-type", "malformed")
BEYOND_FORM = (
    "item-padding",
    "status-list-unsorted",
    "policy-long",
    "backup-header-length",
    "page-twice",
    "page-outside",
    "page-count",
    "page-cut",
    "request-restore-page-cut",
    "answer-letters-form",
    "answer-letters-many",
)
WITHOUT_FORM = ("cbor", "device-ticket", "service-ticket", "hpke-private-key", "section")


class Cddl:
    def __init__(self, path):
        self.validator = Validator(path)

    def check(self, rule, data):
        result = self.validator.validate(data, root_type=rule)
        assert result.valid, [(found.path_text, found.message) for found in result.diagnostics]

    def check_vector(self, vector):
        kind = vector["read-as"]
        self.check(kind, vector.bytes[12:] if kind == "backup-header" else vector.bytes)
        if kind in ANSWERS:
            # The validator does not look into what a field of a map wraps.
            self.check(f"signed-{kind}", signed_part(vector))

    def refuses(self, vector):
        return fails(AssertionError, lambda: self.check_vector(vector))


# HPKE, suite 0: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM (RFC 9180)


def labeled_extract(suite, salt, label, ikm):
    return hmac.digest(salt, b"HPKE-v1" + suite + label + ikm, "sha256")


def labeled_expand(suite, prk, label, info):
    return hmac.digest(prk, (32).to_bytes(2, "big") + b"HPKE-v1" + suite + label + info + b"\1", "sha256")


def exporter(private, enc, info):
    key = X25519PrivateKey.from_private_bytes(private)
    secret = key.exchange(X25519PublicKey.from_public_bytes(enc))
    kem = b"KEM" + (0x20).to_bytes(2, "big")
    context = enc + key.public_key().public_bytes_raw()
    shared = labeled_expand(kem, labeled_extract(kem, b"", b"eae_prk", secret), b"shared_secret", context)
    suite = b"HPKE" + bytes([0, 0x20, 0, 1, 0, 2])
    hashes = labeled_extract(suite, b"", b"psk_id_hash", b"") + labeled_extract(suite, b"", b"info_hash", info)
    secret = labeled_extract(suite, shared, b"secret", b"")
    exporter_secret = labeled_expand(suite, secret, b"exp", b"\0" + hashes)
    return lambda label: labeled_expand(suite, exporter_secret, b"sec", label)


# What each kind of vector gives


def answer_keys(vector, vectors):
    outer = cbor2.loads(vector.bytes)
    tag = cbor2.loads(outer[1])
    signer = cbor2.loads(tag.value[0])[4]
    payload = cbor2.loads(tag.value[2])
    private = vectors[vector["recipient-key"]].bytes
    page = payload[10].to_bytes(4, "big")
    info = b"wmlicense/1 answer\0" + signer + payload[12] + payload[7] + page
    wrap_key = AESGCM(exporter(private, outer[2], info)(b"wmlicense/1 wrap"))
    keys = []
    for index, license in enumerate(outer[3]):
        policy, binding = license
        binding = cbor2.loads(binding)
        aad = sha256(policy) + vector.hex("device-id") + vector.hex("thumbprint")
        assert binding[10] == sha256(policy)
        keys.append(wrap_key.decrypt(counter(index), binding[13], aad).hex())
    return " ".join(keys)


def manifest_holds(vector):
    outer = cbor2.loads(vector.bytes)
    payload = payload_of(outer[1])
    hashes = b"".join(sha256(canonical(license)) for license in outer[3])
    enc = outer.get(2)
    return payload[21] == hashes and payload.get(20) == (None if enc is None else sha256(enc))


def record_key(vector):
    record = cbor2.loads(vector.bytes)
    key = AESGCM(expand(vector.hex("content-key"), b"wmlicense/1 record"))
    return key.decrypt(counter(record[0]), record[4], sha256(canonical(record[:4]))).hex()


def page_licenses(page):
    """(place, license, wrapped key) of each license of a page."""
    count = int.from_bytes(page[:2], "big")
    fields = [int.from_bytes(page[2 + 2 * n : 4 + 2 * n], "big") for n in range(3 * count)]
    entries = list(zip(fields[0::3], fields[1::3], fields[2::3]))
    keys = 2 + 6 * count
    licenses = keys + sum(wrapped for _, _, wrapped in entries)
    places = [place for place, _, _ in entries]
    assert count and len(page) == licenses + sum(length for _, length, _ in entries) and places == sorted(set(places))
    for place, length, wrapped in entries:
        assert place < 4096
        yield place, page[licenses : licenses + length], page[keys : keys + wrapped]
        keys, licenses = keys + wrapped, licenses + length


def page_keys(vector):
    """Places and keys of the licenses of an item of a section."""
    kind, wrapped_key, page = cbor2.loads(vector.bytes)
    assert kind == 11
    section = AESGCM(expand(vector.hex("content-key"), b"wmlicense/1 page key"))
    key = AESGCM(section.decrypt(counter(int(vector["number"])), wrapped_key, b""))
    places, keys = [], []
    for place, license, wrapped in page_licenses(page):
        places.append(str(place))
        keys.append(key.decrypt(counter(place), wrapped, sha256(cbor2.loads(license)[0])).hex())
    return " ".join(places), " ".join(keys)


def section_plain(vector):
    salt, commitment, data = vector.bytes[:24], vector.bytes[24:56], vector.bytes[56:]
    context = b"wmlicense/1 backup section\0" + int(vector["section"]).to_bytes(4, "big") + vector.hex("header-hash")
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(SHA512(), 76, info).derive(vector.hex("meta-key"))
    key, base, expected = AESGCM(derived[:32]), int.from_bytes(derived[32:44], "big"), derived[44:]
    if expected != commitment:
        raise InvalidTag
    plain, number, last = b"", 0, False
    while not last:
        chunk, data = data[: 16384 + 16], data[16384 + 16 :]
        last = len(chunk) < 16384 + 16
        plain += key.decrypt((base ^ number).to_bytes(12, "big"), chunk, None)
        number += 1
    return plain


# The checks


def check_accepted(vector, vectors, cddl):
    kind = vector["read-as"]
    if kind not in WITHOUT_FORM:
        cddl.check_vector(vector)
    if kind == "backup-header":
        front, body = vector.bytes[:12], vector.bytes[12:]
        assert front == b"WMBACKUP" + len(body).to_bytes(4, "big")
        assert canonical(cbor2.loads(body)) == body
        assert cbor2.loads(body)[11].hex() == vector["gives-backup-id"]
    elif kind in ("device-ticket", "service-ticket", "hpke-private-key"):
        return False
    elif kind == "section":
        plain = section_plain(vector)
        assert hashlib.sha256(plain).hexdigest() == vector["gives-plain-hash"]
        kinds = []
        while plain:
            length = int.from_bytes(plain[:4], "big")
            item, plain = plain[4 : 4 + length], plain[4 + length :]
            cddl.check("item", item)
            kinds.append(str(cbor2.loads(item)[0]))
        assert " ".join(kinds) == vector["gives-items"]
    else:
        assert canonical(cbor2.loads(vector.bytes)) == vector.bytes
    if kind in DOCUMENTS:
        payload = verify(signed_part(vector), *DOCUMENTS[kind], keys_for(vector, vectors))
        assert canonical(payload) == cbor2.loads(signed_part(vector)).value[2]
    if kind == "authority-certificate":
        assert sha256(vector.bytes) == vector.hex("pin")
    if kind == "service-certificate":
        derived = sha256(b"wmlicense/1 service\0", payload[1], payload[2].encode())[:16]
        assert derived == payload[10] == vector.hex("gives-service")
        assert payload[1] == sha256(vectors[vector["authority"]].bytes)
        assert vector.hex("gives-signer") in service_keys(payload)
    if kind == "device-certificate":
        assert vector.hex("gives-thumbprint") in device_keys(payload)
    if kind in ANSWERS:
        assert manifest_holds(vector)
        if vector["recipient-key"] == "key-device-suite-0":
            assert answer_keys(vector, vectors) == vector["gives-keys"]
    if kind == "given":
        assert payload[11] == sha256(b"wmlicense/1 unasked") and payload[13] == [4] and payload[10] == 0
    if kind == "status-list":
        assert payload[1] == sha256(vectors[vector["authority"]].bytes)
        assert all(keys == sorted(keys) for keys in (payload[11], payload[12], payload[13]))
        assert sha256(b"wmlicense/1 application\0Example Player") == payload[13][0][0]
        assert str(payload[10]) == vector["gives-number"]
    if kind == "revocation":
        assert vector.hex("gives-key") in dual_keys(REVOCATION, payload)
        assert [str(payload[12]), str(len(payload[14]))] == [vector["gives-number"], vector["gives-entries"]]
    if kind == "acknowledgement":
        assert payload[14] == sorted(payload[14]) and str(payload[13]) == vector["gives-removed"]
    if kind == "item" and "gives-removed-at" in vector.fields:
        assert tombstone(vector.hex("gives-lid"), vector.hex("gives-issuer"), int(vector["gives-removed-at"])) == vector.bytes
    if kind == "record":
        assert record_key(vector) == vector["gives-key"]
    if kind == "page-item":
        assert page_keys(vector) == (vector["gives-places"], vector["gives-keys"])
    return True


def fails(error, action):
    try:
        action()
    except error:
        return True
    return False


def tombstone(lid, issuer, removed_at):
    """The item of a tombstone, written after docs/protocol.md, 9."""
    return canonical([5, canonical([lid, issuer, removed_at])])


def check_refused(vector, vectors, cddl):
    kind, expect = vector["read-as"], vector["expect"]
    if expect in FORM and kind not in WITHOUT_FORM and vector.name not in BEYOND_FORM:
        assert cddl.refuses(vector)
    if expect == "bad-signature":
        part = signed_part(vector)
        assert fails(InvalidSignature, lambda: verify(part, *DOCUMENTS[kind], keys_for(vector, vectors)))
    elif expect == "manifest":
        assert not manifest_holds(vector)
    elif expect == "damaged" and kind == "record":
        assert fails(InvalidTag, lambda: record_key(vector))
    elif expect == "damaged" and kind == "page-item":
        assert fails(InvalidTag, lambda: page_keys(vector))
    elif kind == "page-item" and vector.name in BEYOND_FORM:
        assert fails(AssertionError, lambda: list(page_licenses(cbor2.loads(vector.bytes)[2])))
    elif expect == "damaged" and kind == "section":
        assert fails(InvalidTag, lambda: section_plain(vector))
    else:
        return False
    return True


def main(folder):
    cddl = Cddl(pathlib.Path(__file__).parent.parent / "docs" / "protocol.cddl")
    vectors = {path.stem: Vector(path) for path in sorted(pathlib.Path(folder).glob("*.wmv"))}
    accepted = refused = 0
    for vector in vectors.values():
        try:
            if vector["expect"] == "ok":
                accepted += check_accepted(vector, vectors, cddl)
            else:
                refused += check_refused(vector, vectors, cddl)
        except Exception as error:
            sys.exit(f"{vector.name}: {type(error).__name__} {error}")
    assert accepted >= 25 and refused >= 10, (accepted, refused)
    print(f"{accepted} accepted and {refused} refused vectors read alike")


if __name__ == "__main__":
    main(sys.argv[1])
