"""What the vectors of content headers are made of: the layouts of each format, written down apart from the library."""

import base64
import struct
import uuid

VIDEO = uuid.UUID("a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8")
AUDIO = uuid.UUID("0f0e0d0c-0b0a-0908-0706-050403020100")
OWN = uuid.UUID("12a7e563-e111-4055-b7d8-957152b8d2fe")
COMMON = uuid.UUID("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b")
PLAYREADY = uuid.UUID("9a04f079-9840-4286-ab92-e65be0885f95")
WIDEVINE = uuid.UUID("edef8ba9-79d6-4ace-a3c8-27dcd51d21ed")
NETWORK_DEVICES = uuid.UUID("7a079bb6-daa4-4e12-a5ca-91d38dc11a8d")

HEADER = "75B22630-668E-11CF-A6D9-00AA0062CE6C"
HEADER_EXTENSION = "5FBF03B5-A92E-11CF-8EE3-00C00C205365"
STREAM_PROPERTIES = "B7DC0791-A9B7-11CF-8EE6-00C00C205365"
CONTENT_ENCRYPTION = "2211B3FB-BD23-11D2-B4B7-00A0C955FC6E"
EXTENDED_ENCRYPTION = "298AE614-2622-4C17-B935-DAE07EE9289C"
ADVANCED_ENCRYPTION = "43058533-6981-49E6-9B74-AD12CB86D58C"
PROTECTION_SYSTEM = "9A04F079-9840-4286-AB92-E65BE0885F95"
PLAYREADY_DATA = "F4637010-03C3-42CD-B932-B48ADF3A6A54"

NAMESPACE = "http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader"


def b64(data):
    return base64.b64encode(data).decode()


def guid_text(kid):
    """A key ID as WRMHEADER writes it: base64 of the bytes of the GUID."""
    return b64(kid.bytes_le)


# --- ASF ---------------------------------------------------------------------------------------------------------------


def asf_object(guid, body, size=None):
    return uuid.UUID(guid).bytes_le + struct.pack("<Q", 24 + len(body) if size is None else size) + body


def asf(objects, count=None, reserved=2, size=None):
    body = struct.pack("<IBB", len(objects) if count is None else count, 1, reserved) + b"".join(objects)
    return asf_object(HEADER, body, size)


def counted(data, size=None):
    return struct.pack("<I", len(data) if size is None else size) + data


def content_encryption(key_id=None, url=b"http://v1.example/la\0", secret=b"\1" * 24, secret_size=None):
    key_id = guid_text(VIDEO).encode() + b"\0" if key_id is None else key_id
    body = counted(secret, secret_size) + counted(b"DRM\0") + counted(key_id) + counted(url)
    return asf_object(CONTENT_ENCRYPTION, body)


def extended_encryption(data, size=None):
    return asf_object(EXTENDED_ENCRYPTION, counted(data, size))


def stream(number, encrypted):
    return asf_object(STREAM_PROPERTIES, bytes(48) + struct.pack("<HI", number | (0x8000 if encrypted else 0), 0))


def extension(objects, size=None):
    data = b"".join(objects)
    reserved = uuid.UUID("ABD3D211-A9BA-11CF-8EE6-00C00C205365").bytes_le + struct.pack("<H", 6)
    return asf_object(HEADER_EXTENSION, reserved + counted(data, size))


def advanced(records, count=None):
    body = struct.pack("<H", len(records) if count is None else count) + b"".join(records)
    return asf_object(ADVANCED_ENCRYPTION, body)


def record(system, version, streams, data=b"\7" * 5, size=None):
    ids = b"".join(struct.pack("<HHH", 1, 2, number) for number in streams)
    return system.bytes_le + struct.pack("<IH", version, len(streams)) + ids + counted(data, size)


# --- WRMHEADER and PlayReady Object --------------------------------------------------------------------------------------


def wide(text):
    return text.encode("utf-16-le")


def media_header(inner, signature="<SIGNATURE><VALUE>!*</VALUE></SIGNATURE>"):
    return f'<WRMHEADER version="2.0.0.0"><DATA>{inner}</DATA>{signature}</WRMHEADER>'


def play_header(version, inner):
    return f'<WRMHEADER xmlns="{NAMESPACE}" version="{version}"><DATA>{inner}</DATA></WRMHEADER>'


def old_play_header(kid=VIDEO, more=""):
    info = "<PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>"
    return play_header("4.0.0.0", f"{info}<KID>{guid_text(kid)}</KID>{more}")


def new_play_header(version="4.3.0.0", kids=(VIDEO, AUDIO)):
    kids = "".join(f'<KID ALGID="AESCBC" VALUE="{guid_text(kid)}"></KID>' for kid in kids)
    return play_header(version, f"<PROTECTINFO><KIDS>{kids}</KIDS></PROTECTINFO>")


def play_record(kind, data, size=None):
    return struct.pack("<HH", kind, len(data) if size is None else size) + data


def play_object(records, count=None, size=None):
    body = struct.pack("<H", len(records) if count is None else count) + b"".join(records)
    return struct.pack("<I", len(body) + 4 if size is None else size) + body


def play_object_of(xml):
    return play_object([play_record(1, wide(xml))])


# --- boxes ---------------------------------------------------------------------------------------------------------------


def pssh(system, data=b"", kids=None, version=None, size=None, count=None):
    version = (0 if kids is None else 1) if version is None else version
    listed = b"" if kids is None else struct.pack(">I", len(kids) if count is None else count)
    listed += b"".join(kid.bytes for kid in kids or [])
    body = struct.pack(">I", version << 24) + system.bytes + listed
    body += struct.pack(">I", len(data) if size is None else size) + data
    return struct.pack(">I", 8 + len(body)) + b"pssh" + body


def widevine(*parts):
    """Fields of a protocol buffer: numbers as varints, bytes with their length."""
    data = b""
    for number, value in parts:
        data += varint(number << 3 | (0 if isinstance(value, int) else 2))
        data += varint(value) if isinstance(value, int) else varint(len(value)) + value
    return data


def varint(value):
    data = b""
    while value > 0x7F:
        data, value = data + bytes([value & 0x7F | 0x80]), value >> 7
    return data + bytes([value])
