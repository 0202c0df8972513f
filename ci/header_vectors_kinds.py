"""Content headers in which one thing is odd, foreign, damaged or of a kind that is not known, beside what is good: what is
not understood is protected and noted, and hides nothing. The right answers are those of the formats' documents."""

from header_vectors import *
from header_vectors_good import BOTH, HLS, URI, says

V, A = VIDEO.hex, AUDIO.hex
GOOD = pssh(COMMON, kids=[VIDEO])
FAIRPLAY = "94ce86fb-07ff-4f43-adb8-93d2fa968ca2"
PRIMETIME = "f239e769-efa3-4850-9c16-a903c6932efb"
SAMPLE_ENCRYPTION = "6698B84E-0AFA-4330-AEB2-1C0A98D7A44D"
EXTENDED_STREAM = "14E6A5CB-C672-4332-8399-A96952065B5A"


def hls(*tags):
    return (HLS + "\n".join(tags) + "\n").encode()


def key(attributes):
    return f"#EXT-X-KEY:{attributes}"


def extended_stream(names=(), systems=(), inner=b""):
    body = bytes(60) + struct.pack("<HH", len(names), len(systems))
    body += b"".join(struct.pack("<HH", 0, len(name)) + name for name in names)
    body += b"".join(uuid.UUID(system).bytes_le + struct.pack("<HI", 8, 0) for system in systems)
    return asf_object(EXTENDED_STREAM, body + inner)


ASF = [
    ("repeated", "a second record of the first Windows Media DRM", asf([content_encryption(), content_encryption()]),
     says("ASF", V, license_url="http://v1.example/la", notes=1)),
    ("bad-extended", "an extended record that is no XML beside a good one of the first kind",
     asf([extended_encryption(wide("no XML")), content_encryption()]), says("ASF", V, license_url="http://v1.example/la", notes=1)),
    ("later-record", "a later version of the network devices' system beside a key ID",
     asf([content_encryption(), extension([advanced([record(NETWORK_DEVICES, 2, [1])])])]),
     says("ASF", V, license_url="http://v1.example/la", notes=1)),
    ("other-system", "a protection system object of a system that is not known", asf([asf_object(PROTECTION_SYSTEM, bytes(16))]), says("ASF")),
    ("sample-vectors", "payloads that carry the vectors of PlayReady", asf([extension([extended_stream([b"n\0"], [SAMPLE_ENCRYPTION])])]),
     says("ASF")),
    ("inner-stream", "an encrypted stream whose properties stand in the extended ones only",
     asf([extension([extended_stream(inner=stream(2, True))])]), says("ASF")),
    ("inner-clear", "the same stream, clear", asf([extension([extended_stream(inner=stream(2, False))])]), says("ASF", protected="no")),
    ("commands", "encrypted commands",
     asf([asf_object(STREAM_PROPERTIES, uuid.UUID("8683973A-6639-463A-ABD7-64F1CE3EEAE0").bytes_le + bytes(32) + struct.pack("<HI", 3, 0))]),
     says("ASF")),
]

KIDS = f'<KID ALGID="AESCTR" VALUE="AAAA"/><KID ALGID="AESCTR"/><KID ALGID="AESCTR" VALUE="{guid_text(AUDIO)}"/>'
WRMHEADER = [
    ("one-bad-kid", "a list with a short key ID and one without value", play_header("4.2.0.0", f"<PROTECTINFO><KIDS>{KIDS}</KIDS></PROTECTINFO>").encode(),
     says("WRMHEADER", A, notes=2)),
    ("one-bad-checksum", "a checksum that is no base64", old_play_header(more="<CHECKSUM>#</CHECKSUM>").encode(), says("WRMHEADER", V, notes=1)),
    ("big-endian", "UTF-16 with the larger byte first", b"\xfe\xff" + old_play_header().encode("utf-16-be"), says("WRMHEADER", V)),
    ("big-endian-bare", "the same without a mark", old_play_header().encode("utf-16-be"), says("WRMHEADER", V)),
]

PRO = [
    ("unknown-record", "a record of an unknown type beside a header",
     play_object([play_record(1, wide(old_play_header())), play_record(4, b"x")]), says("PlayReady Object", V, systems=PLAYREADY, notes=1)),
]

PSSH = [
    ("version-2", "a later version beside a box that is known", pssh(WIDEVINE, version=2) + GOOD, says("MP4", V, systems=COMMON, notes=1)),
    ("version-255", "the last version there can be", GOOD + pssh(COMMON, version=255), says("MP4", V, systems=COMMON, notes=1)),
    ("data-beyond", "data longer than its box beside a good one", pssh(WIDEVINE, b"ab", size=900) + GOOD, says("MP4", V, systems=COMMON, notes=1)),
    ("count-beyond", "more key IDs than the box has beside a good one", pssh(COMMON, kids=[AUDIO], count=99) + GOOD,
     says("MP4", V, systems=COMMON, notes=1)),
    ("to-the-end", "a box of size 0 reaches to the end", struct.pack(">I", 0) + GOOD[4:], says("MP4", V, systems=COMMON)),
    ("own-bad-url", "a license URL of ours that is none beside a key ID", pssh(OWN, b"ftp://x", kids=[VIDEO]), says("MP4", V, systems=OWN, notes=1)),
    ("zero", "an all-zero key ID only: protected, and the key is elsewhere", pssh(COMMON, kids=[uuid.UUID(int=0)]), says("MP4", systems=COMMON)),
    ("object-bad-key", "a PlayReady header with a bad key ID beside a good one",
     pssh(PLAYREADY, play_object_of(play_header("4.2.0.0", f"<PROTECTINFO><KIDS>{KIDS}</KIDS></PROTECTINFO>"))),
     says("MP4", A, systems=PLAYREADY, notes=2)),
    ("later-header", "a WRMHEADER of a later version beside a good box", pssh(PLAYREADY, play_object_of(play_header("5.0.0.0", ""))) + GOOD,
     says("MP4", V, systems=f"{PLAYREADY};{COMMON}", notes=1)),
]

JSON = b64(b'{"provider":"p","content_id":"ZmlsbQ==","key_ids":["' + V.encode() + b'","bad"]}')
DASH = f'<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cenc" cenc:default_KID="{VIDEO}"/>'
LATIN = f'<MPD><Title>Caf\xe9 \x93</Title>{DASH}</MPD>'


def declared(name, text, encoding):
    return f'<?xml version="1.0" encoding="{name}"?>{text}'.encode(encoding)


def mpd(attributes, inside=""):
    return f"<MPD><ContentProtection {attributes}>{inside}</ContentProtection></MPD>".encode()


CENC = says("DASH manifest", V, scheme="cenc")
TEXT = [
    ("hls-unknown-method", "a method that nobody knows protects", hls(key('METHOD=SAMPLE-AES-9,URI="k"')), says("HLS playlist")),
    ("hls-aes-256", "AES-256 is not AES-128", hls(key('METHOD=AES-256,URI="k"')), says("HLS playlist")),
    ("hls-lower-case", "methods have one case", hls(key("METHOD=none")), says("HLS playlist")),
    ("hls-sample-identity", "samples under a key of its own URI", hls(key('METHOD=SAMPLE-AES,URI="k"')), says("HLS playlist", scheme="cbcs")),
    ("hls-cenc-alias", "the older name of SAMPLE-AES-CTR", hls(key(f'METHOD=SAMPLE-AES-CENC,KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{V}')),
     says("HLS playlist", V, systems=OWN, scheme="cenc")),
    ("hls-other-format", "whole segments under a system's key", hls(key('METHOD=AES-128,URI="skd://1",KEYFORMAT="com.apple.streamingkeydelivery"')),
     says("HLS playlist", systems=FAIRPLAY)),
    ("hls-unknown-format", "whole segments under the key of nobody knows whom", hls(key('METHOD=AES-128,URI="x:1",KEYFORMAT="org.example"')),
     says("HLS playlist", notes=1)),
    ("hls-empty-format", "a format without a name", hls(key('METHOD=AES-128,KEYFORMAT=""')), says("HLS playlist")),
    ("hls-none-with-format", "NONE is clear, whatever stands beside", hls(key(f'METHOD=NONE,KEYFORMAT="urn:uuid:{OWN}"')), says("HLS playlist", protected="no")),
    ("hls-blanks", "blanks around names, values and commas",
     hls(f' #EXT-X-KEY : METHOD = SAMPLE-AES , KEYFORMAT = "urn:uuid:{OWN}" , KEYID = 0X{V.upper()} ,'), says("HLS playlist", V, systems=OWN, scheme="cbcs")),
    ("hls-blank-clear", "a blank behind NONE", hls(key("METHOD=NONE ")), says("HLS playlist", protected="no")),
    ("hls-quoted-commas", "commas and equals signs in quotes are text",
     hls(key(f'X="METHOD=NONE,KEYID=0x{A}",METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",URI="https://o.example/?a,b=c",KEYID=0x{V}')),
     says("HLS playlist", V, systems=OWN, scheme="cbcs", license_url="https://o.example/?a,b=c")),
    ("hls-quoted-method", "a method in quotes", hls(key(f'METHOD="SAMPLE-AES",KEYFORMAT="urn:uuid:{OWN}",KEYID={{{VIDEO}}}')),
     says("HLS playlist", V, systems=OWN, scheme="cbcs")),
    ("hls-format-case", "formats in another case", hls(key(f'METHOD=SAMPLE-AES,KEYFORMAT="COM.Microsoft.PlayReady",URI="{URI}"')),
     says("HLS playlist", V, systems=PLAYREADY, scheme="cbcs")),
    ("hls-return-only", "lines that end with CR alone", hls(key(f'METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{V}')).replace(b"\n", b"\r"),
     says("HLS playlist", V, systems=OWN, scheme="cbcs")),
    ("hls-session-only", "a session key only", hls(f'#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{V}'),
     says("HLS playlist", V, systems=OWN, scheme="cbcs")),
    ("hls-one-bad-tag", "a list that ends early beside a good one",
     hls(key('METHOD=SAMPLE-AES,URI="x'), key(f'METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{V}')),
     says("HLS playlist", V, systems=OWN, scheme="cbcs", notes=1)),
    ("hls-one-bad-kid", "a key ID of nine bytes beside a good one",
     hls(*(key(f'METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",KEYID={kid}') for kid in ("0x" + V[:18], VIDEO))),
     says("HLS playlist", V, systems=OWN, scheme="cbcs", notes=1)),
    ("hls-no-method", "a tag without method beside a good one", hls(key('URI="k"'), key(f'METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{V}')),
     says("HLS playlist", V, systems=OWN, scheme="cbcs", notes=1)),
    ("hls-widevine-json", "the JSON of older playlists, one key ID of it bad",
     hls(key(f'METHOD=SAMPLE-AES,KEYFORMAT="com.widevine",URI="data:text/plain;base64,{JSON}"')),
     says("HLS playlist", V, systems=WIDEVINE, scheme="cbcs", content_id="film")),
    ("hls-percent-data", "a data URI that is not base64 is noted",
     hls(key(f'METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{V},URI="data:text/plain,abc"')),
     says("HLS playlist", V, systems=OWN, scheme="cbcs", notes=1)),
    ("hls-url-note", "a place that is no URL is noted and hides nothing", hls(key(f'METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{OWN}",URI="key.bin"')),
     says("HLS playlist", systems=OWN, scheme="cbcs", notes=1)),
    ("hls-primetime", "the tag of Adobe's system", hls('#EXT-X-FAXS-CM:MII='), says("HLS playlist", systems=PRIMETIME)),
    ("keyids-one-bad", "a short key ID, a number and a good one", b'{"kids":["AAAA",7,"%s"]}' % b64(VIDEO.bytes).encode(), says("W3C keyids", V, notes=2)),
    ("key-id-zero", "sixteen zeros ask for a key and name none", bytes(16), says("key ID")),
    ("dash-one-bad-kid", "a bad key ID beside a good one, in one list", mpd(f'default_KID="21d5-no {VIDEO}"'), says("DASH manifest", V, notes=1)),
    ("dash-kid-forms", "braces, no hyphens, upper case", mpd(f'default_KID="{{{str(VIDEO).upper()}}} {A.upper()}"'), says("DASH manifest", BOTH)),
    ("dash-kid-urn", "a key ID as a URN", mpd(f'default_KID="urn:uuid:{VIDEO}"'), says("DASH manifest", V)),
    ("dash-unknown-scheme", "a scheme that nobody knows protects", mpd('schemeIdUri="urn:example:lock"'), says("DASH manifest")),
    ("dash-segments", "encryption of whole segments", mpd('schemeIdUri="urn:mpeg:dash:sea:enc:2013"'), says("DASH manifest")),
    ("dash-no-scheme", "an element without a scheme", mpd(""), says("DASH manifest")),
    ("dash-box-after-bad", "a box that is no pssh does not hide the next one",
     mpd(f'schemeIdUri="urn:uuid:{OWN}"', f"<pssh>{b64(struct.pack('>I', 8) + b'free' + GOOD)}</pssh>"), says("DASH manifest", V, systems=f"{OWN};{COMMON}", notes=1)),
    ("dash-latin", "ISO-8859-1, declared", declared("ISO-8859-1", LATIN, "latin-1"), CENC),
    ("dash-latin-quotes", "the same with other quotes, blanks and case",
     declared("x", LATIN, "latin-1").replace(b'encoding="x"', b"encoding = 'iso-8859-1' standalone='yes'"), CENC),
    ("dash-windows", "windows-1252, declared", declared("windows-1252", LATIN, "latin-1"), CENC),
    ("dash-greek", "another encoding with single bytes", declared("ISO-8859-7", LATIN, "latin-1"), CENC),
    ("dash-ascii", "ASCII, declared", declared("us-ascii", DASH, "ascii"), CENC),
    ("dash-utf-8-mark", "UTF-8 with a mark, declared as what it is not", b"\xef\xbb\xbf" + declared("ISO-8859-1", f"<MPD><T>Caf\xe9</T>{DASH}</MPD>", "utf-8"), CENC),
    ("dash-utf-16", "UTF-16 with a mark", b"\xff\xfe" + declared("UTF-16", f"<MPD>{DASH}</MPD>", "utf-16-le"), CENC),
    ("dash-utf-16-bare", "UTF-16 without a mark", declared("UTF-16LE", f"<MPD>{DASH}</MPD>", "utf-16-le"), CENC),
    ("dash-utf-16-big", "UTF-16 with the larger byte first", b"\xfe\xff" + declared("UTF-16", f"<MPD>{DASH}</MPD>", "utf-16-be"), CENC),
    ("dash-utf-16-big-bare", "the same without a mark", declared("UTF-16BE", f"<MPD>{DASH}</MPD>", "utf-16-be"), CENC),
    ("dash-utf-16-in-name", "UTF-8 whose first line still says UTF-16", declared("utf-16", f"<MPD>{DASH}</MPD>", "utf-8"), CENC),
    ("smooth-no-header", "protection without a header", b"<SmoothStreamingMedia><Protection/></SmoothStreamingMedia>", says("Smooth Streaming manifest")),
    ("smooth-other-system", "the header of a system that is not known",
     f'<SmoothStreamingMedia><Protection><ProtectionHeader SystemID="{COMMON}">AAAA</ProtectionHeader></Protection></SmoothStreamingMedia>'.encode(),
     says("Smooth Streaming manifest", systems=COMMON)),
    ("smooth-no-system", "a PlayReady Object without its system's name",
     f'<SmoothStreamingMedia><Protection><ProtectionHeader>{URI.split(",")[1]}</ProtectionHeader></Protection></SmoothStreamingMedia>'.encode(),
     says("Smooth Streaming manifest", V)),
]

ALL = {"asf": ASF, "wrmheader": WRMHEADER, "playready": PRO, "pssh": PSSH, "text": TEXT}
