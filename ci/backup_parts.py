"""What a backup is made of, read and written after docs/protocol.md, 9, and docs/formats.md alone: a device's keys, tickets, the
encrypted stream. Reading is in read_backup.py, writing in write_backup.py.
"""

import dataclasses
import hashlib
import hmac
import os

import cbor2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from kyber_py.ml_kem import ML_KEM_768
from read_vectors import DEVICE, ED25519, labeled_extract, sha256, signer_id

CHUNK, TAG, PADDING = 16 * 1024, 16, 64 * 1024
STATEFUL = (3, 5)


# Keys and HPKE, suite 0 and suite 1


def u32(number):
    return number.to_bytes(4, "big")


def hpke(suite, shared, info):
    """Key and nonce of the one message, RFC 9180 in base mode."""
    ids = b"HPKE" + (0x20, 0x647A)[suite].to_bytes(2, "big") + bytes([0, 1, 0, 2])
    hashes = labeled_extract(ids, b"", b"psk_id_hash", b"") + labeled_extract(ids, b"", b"info_hash", info)
    secret = labeled_extract(ids, shared, b"secret", b"")

    def derived(label, length):
        text = length.to_bytes(2, "big") + b"HPKE-v1" + ids + label + b"\0" + hashes
        return hmac_block(secret, text)[:length]

    return AESGCM(derived(b"key", 32)), derived(b"base_nonce", 12)


def hmac_block(key, text):
    return hmac.digest(key, text + b"\1", "sha256")


def dhkem_shared(secret, enc, public):
    kem = b"KEM" + (0x20).to_bytes(2, "big")
    text = (32).to_bytes(2, "big") + b"HPKE-v1" + kem + b"shared_secret" + enc + public
    return hmac_block(labeled_extract(kem, b"", b"eae_prk", secret), text)


def xwing_shared(ml_kem, x25519, enc, public):
    return hashlib.sha3_256(ml_kem + x25519 + enc + public + b"\\.//^\\").digest()


@dataclasses.dataclass
class Identity:
    """The keys of a device at one authority."""

    authority: bytes
    suite: int
    seed: bytes
    private: bytes

    def __post_init__(self):
        self.signing = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.x25519 = X25519PrivateKey.from_private_bytes(self.private[-32:])
        ml_kem = self.private[1152 : 1152 + 1184] if self.suite else b""
        self.public = ml_kem + self.x25519.public_key().public_bytes_raw()
        self.verifying = self.signing.public_key().public_bytes_raw()
        self.thumbprint = signer_id(DEVICE, [(ED25519, self.verifying), (self.suite, self.public)])

    def open(self, enc, ciphertext, info):
        own, other = self.public[-32:], X25519PublicKey.from_public_bytes(enc[-32:])
        shared = self.x25519.exchange(other)
        if self.suite:
            shared = xwing_shared(ML_KEM_768.decaps(self.private[:-32], enc[:-32]), shared, enc[-32:], own)
        else:
            shared = dhkem_shared(shared, enc, own)
        key, nonce = hpke(self.suite, shared, info)
        return key.decrypt(nonce, ciphertext, b"")


def seal(suite, public, plain, info):
    """Encapsulated key and ciphertext for a public key."""
    ephemeral = X25519PrivateKey.generate()
    enc = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public[-32:]))
    if suite:
        ml_kem, first = ML_KEM_768.encaps(public[:-32])
        shared, enc = xwing_shared(ml_kem, shared, enc, public[-32:]), first + enc
    else:
        shared = dhkem_shared(shared, enc, public)
    key, nonce = hpke(suite, shared, info)
    return enc, key.encrypt(nonce, plain, b"")


def identities(store):
    """All keys in a store's device.key, formats.md."""
    data = (store / "device.key").read_bytes()
    data, total = data[:-32], data[-32:]
    assert data[:10] == b"WMDEVKEY\1\1" and sha256(data) == total, "no device.key with keys in a file"
    content = data[14:]
    assert len(content) == int.from_bytes(data[10:14], "big")
    found, content = [], content[32:]
    while content:
        suite = content[33]
        length = 66 + (2432 if suite else 32)
        part, content = content[:length], content[length:]
        found.append(Identity(part[1:33], suite, part[34:66], part[66:]))
    return found


# The encrypted stream of a section, C2SP chunked-encryption


def stream_keys(meta, salt, section, header):
    context = b"wmlicense/1 backup section\0" + u32(section) + sha256(header)
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(SHA512(), 76, info).derive(meta)
    base = int.from_bytes(derived[32:44], "big")
    return AESGCM(derived[:32]), lambda number: (base ^ number).to_bytes(12, "big"), derived[44:]


def open_stream(meta, sealed, section, header):
    key, nonce, commitment = stream_keys(meta, sealed[:24], section, header)
    assert sealed[24:56] == commitment, "a section under another key"
    data, plain, number, full = sealed[56:], b"", 0, CHUNK + TAG
    while True:
        chunk, data = data[:full], data[full:]
        plain += key.decrypt(nonce(number), chunk, None)
        number += 1
        if len(chunk) < full:
            assert not data
            return plain


def seal_stream(meta, plain, section, header):
    salt = os.urandom(24)
    key, nonce, commitment = stream_keys(meta, salt, section, header)
    chunks = [plain[at : at + CHUNK] for at in range(0, len(plain) - len(plain) % CHUNK + 1, CHUNK)]
    return salt + commitment + b"".join(key.encrypt(nonce(n), chunk, None) for n, chunk in enumerate(chunks))


# What a section holds


@dataclasses.dataclass
class License:
    batch: int
    place: int
    encoded: bytes
    state: dict
    key: bytes
    in_page: bool

    def policy(self):
        return cbor2.loads(cbor2.loads(self.encoded)[0])


@dataclasses.dataclass
class Section:
    identity: Identity
    store_id: bytes
    service: list
    before: list
    batches: list
    licenses: list


def is_stateful(policy):
    return any(condition[0] in STATEFUL for conditions in policy[12].values() for condition in conditions)
