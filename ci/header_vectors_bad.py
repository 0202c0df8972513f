"""Content headers that lie, with the sentence that tells where and about what. Offsets are counted here by hand."""

from header_vectors import *

PROLOGUE = '<WRMHEADER version="4.0.0.0"><DATA>'
HEADER_AT = 30  # where the first object of an ASF file begins


def cut(at, field):
    return ("truncated", f"the data ends inside {field} at byte {at}")


def value(at, field, found):
    return ("bad-value", f"{field} at byte {at} has the impossible value {found}")


def text(at, field):
    return ("bad-text", f"{field} at byte {at} cannot be read as text of its kind")


def many(at, field, count, limit):
    return ("too-many", f"{field} at byte {at} asks for {count} items, more than {limit}")


def missing(at, field):
    return ("missing", f"{field} is missing in the part that begins at byte {at}")


def refused(at, field):
    return ("not-allowed", f"{field} at byte {at} is not allowed")


def unknown(at, version):
    return ("unknown-version", f"WRMHEADER version at byte {at} is {version}, which is not known")


def inside(at, field, cause):
    return ("inside", f"{field} at byte {at}: {cause[1]}")


LARGE = 2**64 - 1
FIRST = [content_encryption(), stream(1, True)]
ASF = [
    ("size-small", "a header smaller than its own fields", asf(FIRST, size=29), *value(16, "ASF Header Object size", 29)),
    ("size-large", "a header of all bytes there are", asf(FIRST, size=LARGE), "too-large",
     f"ASF Header Object at byte 0 has {LARGE} bytes, more than 16777216"),
    ("cut", "a file that ends inside the header", asf(FIRST)[:99], *cut(24, "ASF Header Object")),
    ("head-cut", "a file that ends inside the first fields", asf(FIRST)[:20], *cut(0, "ASF object header")),
    ("reserved", "a reserved field that the specification says to refuse", asf(FIRST, reserved=1), *value(29, "ASF reserved field 2", 1)),
    ("count", "more objects promised than there are", asf(FIRST, count=3), *value(24, "ASF object count", 3)),
    ("object-small", "an object smaller than its own header", asf([asf_object(STREAM_PROPERTIES, b"", 23)]),
     *value(HEADER_AT + 16, "ASF object size", 23)),
    ("object-large", "an object that reaches out of the header", asf([asf_object(STREAM_PROPERTIES, b"", 25)]),
     *value(HEADER_AT + 16, "ASF object size", 25)),
    ("object-overflow", "an object whose end is no number", asf([asf_object(STREAM_PROPERTIES, b"", LARGE)]),
     *value(HEADER_AT + 16, "ASF object size", LARGE)),
    ("object-cut", "too few bytes for one more object", asf([b"abc"]), *cut(HEADER_AT, "ASF object GUID")),
    ("secret", "secret data longer than the object", asf([content_encryption(secret_size=2**32 - 1)]),
     *cut(HEADER_AT + 28, "Secret Data")),
    ("key-id-text", "a key ID that is no text", asf([content_encryption(key_id=b"\xff\0")]),
     *text(HEADER_AT + 24 + 28 + 8 + 4, "Key ID")),
    ("two-headers", "two extended records", asf([extended_encryption(wide(media_header("")))] * 2),
     *refused(HEADER_AT + len(extended_encryption(wide(media_header("")))), "second WRMHEADER object")),
    ("extended-size", "header data longer than its object", asf([extended_encryption(b"<\0", 999)]),
     *cut(HEADER_AT + 28, "Extended Content Encryption data")),
    ("extension-size", "an extension longer than its object", asf([extension([], 5)]),
     *cut(HEADER_AT + 24 + 18 + 4, "Header Extension data")),
    ("records", "more records promised than there are", asf([extension([advanced([record(COMMON, 1, [1])], count=2)])]),
     *cut(HEADER_AT + 46 + 26 + len(record(COMMON, 1, [1])), "content encryption System ID")),
    ("record-version", "a later version of the network devices' system",
     asf([extension([advanced([record(NETWORK_DEVICES, 2, [1])])])]), *value(HEADER_AT + 46 + 26 + 16, "content encryption System Version", 2)),
    ("record-data", "record data longer than the object", asf([extension([advanced([record(COMMON, 1, [], size=77)])])]),
     *cut(HEADER_AT + 46 + 26 + 26, "content encryption data")),
    ("stream-cut", "stream properties without flags", asf([asf_object(STREAM_PROPERTIES, bytes(48))]),
     *cut(HEADER_AT + 24 + 48, "Stream Properties flags")),
    ("streams", "more streams than numbers for them", asf([stream(n % 128, False) for n in range(128)]),
     *many(HEADER_AT + 127 * len(stream(1, False)) + 24, "streams", 128, 127)),
]

LAUGHS = '<!DOCTYPE W [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>' + PROLOGUE + "<X>&b;</X></DATA></WRMHEADER>"
WRMHEADER = [
    ("doctype", "a document that would define entities", LAUGHS.encode(), *refused(0, "XML DOCTYPE")),
    ("doctype-wide", "the same in UTF-16", b"\xff\xfe" + wide(LAUGHS), *refused(2, "XML DOCTYPE")),
    ("entity", "an entity that nobody defined", (PROLOGUE + "<X>&x;</X></DATA></WRMHEADER>").encode(),
     *refused(len(PROLOGUE) + 3, "XML entity")),
    ("entity-attribute", "an entity in an attribute", b'<WRMHEADER version="&v;"/>', *refused(0, "XML entity")),
    ("entity-nul", "a reference that would end the text for C", (PROLOGUE + "<X>&#0;</X></DATA></WRMHEADER>").encode(),
     *refused(len(PROLOGUE) + 3, "XML entity")),
    ("nul", "a NUL in the text", b"<WRM\0HEADER/>", *text(4, "XML document")),
    ("control-wide", "a control character in UTF-16", wide("<W>\7</W>"), *text(6, "XML document")),
    ("surrogate", "half a letter in UTF-16", wide("<W>") + b"\x00\xd8<\0", *text(6, "XML document")),
    ("deep", "elements inside each other without end", b"<WRMHEADER version='2.0'>" + b"<DATA>" * 99,
     *many(25 + 31 * 6, "elements inside each other", 33, 32)),
    ("deep-wide", "the same in UTF-16", wide("<WRMHEADER version='2.0'>" + "<DATA>" * 99),
     *many(2 * (25 + 31 * 6), "elements inside each other", 33, 32)),
    ("attributes", "an element of nothing but attributes", b"<WRMHEADER " + b'a="" ' * 200 + b"/>", *many(0, "XML attributes", 129, 128)),
    ("elements", "more custom elements than anybody has",
     media_header("".join(f"<e{n}/>" for n in range(1100))).encode(),
     *many(len('<WRMHEADER version="2.0.0.0"><DATA>') + sum(len(f"<e{n}/>") for n in range(1024)), "WRMHEADER elements", 1025, 1024)),
    ("cut", "a document that ends early", PROLOGUE.encode(), *cut(len(PROLOGUE), "XML document")),
    ("tag-cut", "a document that ends in a tag", PROLOGUE[:-3].encode(), *text(len(PROLOGUE) - 6, "XML document")),
    ("end", "an end that fits no beginning", (PROLOGUE + "</X>").encode(), *text(len(PROLOGUE), "XML document")),
    ("no-version", "a header that does not say its version", b"<WRMHEADER/>", *missing(0, "WRMHEADER version")),
    ("version-text", "a version that is no number", b'<WRMHEADER version="four"/>', *text(0, "WRMHEADER version")),
    ("later-minor", "a later version", play_header("4.4.0.0", "").encode(), *unknown(0, "4.4")),
    ("later-major", "a much later version", wide(play_header("5.0.0.0", "")), *unknown(0, "5.0")),
    ("between", "a version that never was", play_header("3.0.0.0", "").encode(), *unknown(0, "3.0")),
    ("kid", "a key ID of fifteen bytes", (PROLOGUE + f"<KID>{b64(bytes(15))}</KID></DATA></WRMHEADER>").encode(), *text(len(PROLOGUE), "KID")),
    ("kid-value", "a key without an ID", (PROLOGUE + "<PROTECTINFO><KID/></PROTECTINFO></DATA></WRMHEADER>").encode(),
     *missing(len(PROLOGUE) + 13, "KID VALUE")),
    ("other", "another document", b"<html></html>", "not-recognised", "not a media file or protection data of a known format"),
]

XML = wide(old_play_header())
RECORD = play_record(1, XML)
PRO = [
    ("length-small", "an object longer than it says", play_object([RECORD], size=20), *value(0, "PlayReady Object length", 20)),
    ("length-large", "an object shorter than it says", play_object([RECORD], size=2**32 - 1), *value(0, "PlayReady Object length", 2**32 - 1)),
    ("count-small", "more bytes than the records take", play_object([RECORD, RECORD], count=1), *value(4, "PlayReady record count", 1)),
    ("count-large", "more records promised than there are", play_object([RECORD], count=9), *cut(6 + len(RECORD), "PlayReady record type")),
    ("record-length", "a record longer than the object", play_object([play_record(1, XML, 65535)]), *cut(10, "PlayReady record")),
    ("two-headers", "two headers", play_object([RECORD, RECORD]), *refused(6 + len(RECORD), "second WRMHEADER record")),
    ("not-xml", "a header that is no XML", play_object([play_record(1, wide("not XML"))]), *text(10, "WRMHEADER")),
    ("later", "a header of a later version", play_object_of(play_header("4.9.0.0", "")), *unknown(10, "4.9")),
]

OBJECT_CAUSE = cut(0, "PlayReady Object length")
PSSH = [
    ("version", "a version that nobody defined", pssh(COMMON, version=2), *value(8, "pssh version", 2)),
    ("size", "data longer than the box", pssh(COMMON, size=2**32 - 1), *cut(28, "pssh DataSize")),
    ("count", "more key IDs promised than there are", pssh(COMMON, kids=[VIDEO], count=2**28), *cut(28, "pssh KID_count")),
    ("own-url", "a license URL of ours that is none", pssh(OWN, b"ftp://x"), *text(0, "pssh license URL")),
    ("playready", "a PlayReady Object that is none, and no other key ID", pssh(PLAYREADY, b"abc"), *inside(0, "PlayReady data", OBJECT_CAUSE)),
    ("widevine-length", "a field longer than the data", pssh(WIDEVINE, b"\x12\x7fabc"), *inside(0, "Widevine data", cut(2, "Widevine bytes"))),
    ("widevine-huge", "a field of all bytes there are", pssh(WIDEVINE, b"\x12" + varint(LARGE)),
     *inside(0, "Widevine data", cut(11, "Widevine bytes"))),
    ("widevine-number", "a number that does not end", pssh(WIDEVINE, b"\x08" + b"\xff" * 11),
     *inside(0, "Widevine data", value(1, "Widevine number", 2**63 - 1))),
    ("widevine-group", "a kind of field that nobody writes", pssh(WIDEVINE, b"\x0b"), *inside(0, "Widevine data", value(0, "Widevine field tag", 11))),
    ("widevine-zero", "a field without a number", pssh(WIDEVINE, b"\x00\x00"), *inside(0, "Widevine data", value(0, "Widevine field tag", 0))),
    ("cut", "a box that ends early, and no other", pssh(COMMON, kids=[VIDEO])[:-8], *cut(8, "pssh")),
    ("second-cut", "a second box that ends early", pssh(COMMON, kids=[VIDEO]) + pssh(COMMON)[:20], *cut(60, "pssh")),
]

KEY = '#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT="com.microsoft.playready",'
AT = len("#EXTM3U\n#EXT-X-KEY:")
DASH = f'<ContentProtection schemeIdUri="urn:uuid:{PLAYREADY}">'
TEXT = [
    ("keyids-cut", "JSON that ends early", b'{"kids":["', *text(0, "keyids")),
    ("keyids-short", "a key ID of three bytes", b'{"kids":["AAAA"]}', *text(0, "keyids")),
    ("keyids-none", "a list without key IDs", b'{"kids":[]}', *missing(0, "keyids")),
    ("keyids-deep", "lists inside each other without end", b'{"kids":' + b"[" * 500, *text(0, "keyids")),
    ("hls-method", "a key tag without a method", b'#EXTM3U\n#EXT-X-KEY:URI="x"\n', *missing(AT, "METHOD")),
    ("hls-quote", "a quote that does not end", ("#EXTM3U\n" + KEY + 'URI="x\n').encode(), *text(AT + len(KEY) - 11, "attribute list")),
    ("hls-list", "an attribute without a value", b"#EXTM3U\n#EXT-X-KEY:METHOD=NONE,x\n", *text(AT + 12, "attribute list")),
    ("hls-kid", "a key ID of one byte", ("#EXTM3U\n" + KEY + "KEYID=0x01").encode(), *text(AT, "KEYID")),
    ("hls-object", "a carried object that is none, and no other key ID", ("#EXTM3U\n" + KEY + 'URI="data:;base64,AAAA"').encode(),
     *inside(AT, "PlayReady data", OBJECT_CAUSE)),
    ("hls-two-methods", "two methods, one of them for clear content", b"#EXTM3U\n#EXT-X-KEY:METHOD=NONE,METHOD=SAMPLE-AES\n",
     *text(AT + 12, "attribute list")),
    ("hls-bytes", "bytes that are no text", b"#EXTM3U\n\xff", *text(8, "playlist")),
    ("dash-kid", "a key ID that is none", b'<MPD><ContentProtection default_KID="one two"/></MPD>', *text(5, "default_KID")),
    ("dash-latin-undeclared", "bytes of ISO-8859-1 in a document that does not declare it", b"<MPD><Title>Caf\xe9</Title></MPD>",
     *text(15, "XML document")),
    ("dash-box", "a carried box that lies, and no other key ID",
     f"{DASH}<pssh>{b64(pssh(COMMON, size=9))}</pssh></ContentProtection>".encode(), *inside(len(DASH) + 6, "cenc:pssh", cut(28, "pssh DataSize"))),
    ("dash-other-box", "a carried box that is no pssh",
     f"{DASH}<pssh>{b64(struct.pack('>I', 8) + b'free')}</pssh></ContentProtection>".encode(),
     *inside(len(DASH) + 6, "cenc:pssh", refused(0, "box that is no pssh"))),
    ("dash-object", "a carried object that lies, and no other key ID", f"{DASH}<mspr:pro>AAAAAA==</mspr:pro></ContentProtection>".encode(),
     *inside(len(DASH) + 10, "PlayReady Object", value(0, "PlayReady Object length", 0))),
    ("dash-entity", "a manifest with entities", b"<!DOCTYPE MPD SYSTEM 'http://elsewhere.example/'><MPD/>", *refused(0, "XML DOCTYPE")),
    ("dash-deep", "a manifest without end", b"<MPD>" + b"<a>" * 99, *many(5 + 31 * 3, "elements inside each other", 33, 32)),
    ("dash-cut", "a manifest that ends early", b"<MPD><Period>", *cut(13, "XML document")),
]

ALL = {"asf": ASF, "wrmheader": WRMHEADER, "playready": PRO, "pssh": PSSH, "text": TEXT}
