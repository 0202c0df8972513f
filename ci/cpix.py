#!/usr/bin/env python3
"""CPIX documents with another implementation of their cryptography (pyca/cryptography), beside the service's own.

cpix.py make FOLDER                 a recipient (ours.pem, ours.key), another (other.pem, other.key), and documents for them;
                                    prints the keys in good documents as KID:KEY
cpix.py read DOCUMENT CERT KEY      prints the keys of an encrypted document as KID:KEY
"""
import base64
import datetime
import hashlib
import hmac
import os
import sys
import uuid
import xml.etree.ElementTree as tree
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID

CPIX = "urn:dashif:org:cpix"
PSKC = "urn:ietf:params:xml:ns:keyprov:pskc"
DS = "http://www.w3.org/2000/09/xmldsig#"
ENC = "http://www.w3.org/2001/04/xmlenc#"
CBC = ENC + "aes256-cbc"
OAEP = ENC + "rsa-oaep-mgf1p"
MAC = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"
SHA1_PADDING = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)


def b64(data):
    return base64.b64encode(data).decode()


def recipient(folder, name):
    """Makes a certificate and its key, and writes both."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    (folder / f"{name}.der").write_bytes(certificate.public_bytes(serialization.Encoding.DER))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(secret)
    old = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    (folder / f"{name}.pkcs1").write_bytes(old)
    return certificate


class Document:
    """An encrypted document; what is wrong with it, and how, is an argument."""

    def __init__(self, recipients, *, mac_method=True, document_key=32, oaep=OAEP, digest=None, cipher=CBC):
        self.key, self.mac_key = os.urandom(32), os.urandom(64)
        self.cipher = cipher
        data = []
        for certificate in recipients:
            public = certificate.public_key()
            method = f'<enc:EncryptionMethod Algorithm="{oaep}">'
            method += f'<ds:DigestMethod Algorithm="{digest}"/>' if digest else ""
            method += "</enc:EncryptionMethod>"

            def sealed(secret, public=public, method=method):
                value = b64(public.encrypt(secret, SHA1_PADDING))
                return f"{method}<enc:CipherData><enc:CipherValue>{value}</enc:CipherValue></enc:CipherData>"

            der = b64(certificate.public_bytes(serialization.Encoding.DER))
            lines = "\n      ".join(der[at : at + 64] for at in range(0, len(der), 64))
            mac = f'<MACMethod Algorithm="{MAC}"><Key>{sealed(self.mac_key)}</Key></MACMethod>' if mac_method else ""
            data.append(
                "<DeliveryData><DeliveryKey><ds:X509Data><ds:X509Certificate>\n      "
                f"{lines}\n</ds:X509Certificate></ds:X509Data></DeliveryKey>"
                f'<DocumentKey Algorithm="{CBC}"><Data><pskc:Secret><pskc:EncryptedValue>'
                f"{sealed(self.key[:document_key])}</pskc:EncryptedValue></pskc:Secret></Data></DocumentKey>{mac}</DeliveryData>"
            )
        self.delivery = f"<DeliveryDataList>{''.join(data)}</DeliveryDataList>"
        self.keys = []

    def add(self, kid, key, *, mac="right", padding_bytes=None):
        """Adds a key, padded as XML Encryption allows: any bytes, and how many they are at the end."""
        fill = 16 - len(key) % 16
        pad = os.urandom(fill - 1) + bytes([fill]) if padding_bytes is None else padding_bytes
        iv = os.urandom(16)
        encryptor = Cipher(algorithms.AES(self.key), modes.CBC(iv)).encryptor()
        sealed = iv + encryptor.update(key + pad) + encryptor.finalize()
        tag = hmac.new(self.mac_key, sealed, hashlib.sha512).digest()
        if mac == "wrong":
            tag = bytes([tag[0] ^ 1]) + tag[1:]
        value = f"<pskc:ValueMAC>{b64(tag)}</pskc:ValueMAC>" if mac != "none" else ""
        self.keys.append(
            f'<ContentKey kid="{uuid.UUID(kid)}"><Data><pskc:Secret><pskc:EncryptedValue>'
            f'<enc:EncryptionMethod Algorithm="{self.cipher}"/><enc:CipherData><enc:CipherValue>{b64(sealed)}</enc:CipherValue>'
            f"</enc:CipherData></pskc:EncryptedValue>{value}</pskc:Secret></Data></ContentKey>"
        )
        return self

    def text(self, encoding="utf-8"):
        return (
            f'<?xml version="1.0" encoding="{encoding}"?>\n<CPIX xmlns="{CPIX}" xmlns:pskc="{PSKC}" xmlns:ds="{DS}" xmlns:enc="{ENC}">'
            f"{self.delivery}<ContentKeyList>{''.join(self.keys)}</ContentKeyList></CPIX>\n"
        )


def make(folder):
    ours, other = recipient(folder, "ours"), recipient(folder, "other")
    keys = [(os.urandom(16).hex(), os.urandom(16)) for _ in range(3)]

    def with_keys(document, **how):
        for kid, key in keys:
            document.add(kid, key, **how)
        return document

    good = {
        "sealed": with_keys(Document([ours])),
        "two": with_keys(Document([other, ours])),
        "sha1": with_keys(Document([ours], digest=DS + "sha1")),
    }
    bad = {
        "for-other": with_keys(Document([other])),
        "wrong-mac": with_keys(Document([ours]), mac="wrong"),
        "no-mac": with_keys(Document([ours]), mac="none"),
        "no-mac-method": with_keys(Document([ours], mac_method=False)),
        "short-document-key": with_keys(Document([ours], document_key=16)),
        "other-oaep": with_keys(Document([ours], oaep="http://www.w3.org/2009/xmlenc11#rsa-oaep")),
        "sha256": with_keys(Document([ours], digest=ENC + "sha256")),
        "other-cipher": with_keys(Document([ours], cipher=ENC + "aes128-cbc")),
        "fifteen": Document([ours]).add(keys[0][0], keys[0][1][:15]),
        "no-padding": Document([ours]).add(keys[0][0], keys[0][1], padding_bytes=bytes(16)),
    }
    for name, document in {**good, **bad}.items():
        (folder / f"{name}.xml").write_text(document.text(), encoding="utf-8")
    (folder / "utf16.xml").write_bytes(good["sealed"].text("utf-16").encode("utf-16"))
    mixed = with_keys(Document([ours]))
    mixed.keys.append(
        f'<ContentKey kid="{uuid.uuid4()}"><Data><pskc:Secret><pskc:PlainValue>{b64(bytes(16))}</pskc:PlainValue>'
        "</pskc:Secret></Data></ContentKey>"
    )
    (folder / "mixed.xml").write_text(mixed.text())
    # Keys of another document under what stands for our recipient in this one.
    grafted = Document([ours])
    grafted.keys = good["sealed"].keys
    (folder / "grafted.xml").write_text(grafted.text())
    for kid, key in keys:
        print(f"{kid}:{key.hex()}")


def read(document, certificate, key):
    der = x509.load_pem_x509_certificate(Path(certificate).read_bytes()).public_bytes(serialization.Encoding.DER)
    private = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    names = {"c": CPIX, "p": PSKC, "d": DS, "e": ENC}
    root = tree.parse(document).getroot()
    assert root.tag == f"{{{CPIX}}}CPIX"
    [data] = [
        data
        for data in root.findall("c:DeliveryDataList/c:DeliveryData", names)
        if base64.b64decode(data.find("c:DeliveryKey/d:X509Data/d:X509Certificate", names).text) == der
    ]

    def opened(node):
        assert node.find("e:EncryptionMethod", names).get("Algorithm") == OAEP
        return private.decrypt(base64.b64decode(node.find("e:CipherData/e:CipherValue", names).text), SHA1_PADDING)

    document_key = data.find("c:DocumentKey", names)
    assert document_key.get("Algorithm") == CBC and data.find("c:MACMethod", names).get("Algorithm") == MAC
    secret = opened(document_key.find("c:Data/p:Secret/p:EncryptedValue", names))
    mac_key = opened(data.find("c:MACMethod/c:Key", names))
    assert len(secret) == 32
    for key in root.findall("c:ContentKeyList/c:ContentKey", names):
        node = key.find("c:Data/p:Secret", names)
        assert node.find("p:EncryptedValue/e:EncryptionMethod", names).get("Algorithm") == CBC
        sealed = base64.b64decode(node.find("p:EncryptedValue/e:CipherData/e:CipherValue", names).text)
        tag = base64.b64decode(node.find("p:ValueMAC", names).text)
        assert hmac.compare_digest(tag, hmac.new(mac_key, sealed, hashlib.sha512).digest())
        decryptor = Cipher(algorithms.AES(secret), modes.CBC(sealed[:16])).decryptor()
        padded = decryptor.update(sealed[16:]) + decryptor.finalize()
        content_key = padded[: -padded[-1]]
        assert len(content_key) == 16
        print(f"{uuid.UUID(key.get('kid')).hex}:{content_key.hex()}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "make":
        make(Path(sys.argv[2]))
    elif len(sys.argv) == 5 and sys.argv[1] == "read":
        read(*sys.argv[2:])
    else:
        sys.exit(__doc__)
