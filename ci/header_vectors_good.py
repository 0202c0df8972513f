"""Content headers that are read, and what they say. Key IDs are in the order of the UUID text."""

from header_vectors import *

V, A = VIDEO.hex, AUDIO.hex
BOTH = f"{V};{A}"


def says(container, kids="", **more):
    fields = {"container": container, "protected": more.pop("protected", "yes")}
    if kids:
        fields["kids"] = kids
    return fields | {name.replace("_", "-"): str(value) for name, value in more.items()}


MEDIA = media_header(
    f"<KID>{guid_text(VIDEO)}</KID><LAINFO>https://la.example/?a=1&amp;b=2</LAINFO><CHECKSUM>AQIDBAUG!w==</CHECKSUM>"
    "<CID>WMID:7</CID><SECURITYVERSION>2.2</SECURITYVERSION><Title>A &lt;film&gt;</Title><Empty></Empty><Title>again</Title>"
)
ASF = [
    (
        "full",
        "all encryption objects; the second header repeats the key ID of the first",
        asf(
            [
                content_encryption(),
                stream(1, True),
                stream(2, False),
                extended_encryption(b"\xff\xfe" + wide(MEDIA + "\0")),
                extension([advanced([record(NETWORK_DEVICES, 1, [1]), record(COMMON, 9, [1, 2])])]),
            ]
        ),
        says("ASF", V, systems=f"{NETWORK_DEVICES};{COMMON}", license_url="https://la.example/?a=1&b=2", content_id="WMID:7",
             security_version="2.2", attributes="Title=A <film>;Empty=", checksums="010203040506fb"),
    ),
    ("first-record-only", "the record of the first Windows Media DRM", asf([content_encryption(), stream(1, True)]),
     says("ASF", V, license_url="http://v1.example/la")),
    ("playready", "a PlayReady Object in a protection system object",
     asf([asf_object(PROTECTION_SYSTEM, uuid.UUID(PLAYREADY_DATA).bytes_le + play_object_of(old_play_header()))]),
     says("ASF", V, systems=PLAYREADY)),
    ("clear", "streams that are not encrypted", asf([stream(1, False)]), says("ASF", protected="no")),
    ("flag-only", "an encrypted stream about which nothing else is said", asf([stream(1, True)]), says("ASF")),
    ("object-alone", "a Content Encryption Object without a file", content_encryption(), says("ASF", V, license_url="http://v1.example/la")),
    ("nested", "an extension within an extension is stepped over", asf([extension([extension([b"junk"])])]), says("ASF", protected="no")),
    ("free-key-id", "a key ID that is no GUID names no key", asf([content_encryption(key_id=b"by hand\0")]),
     says("ASF", license_url="http://v1.example/la")),
]

KEYS_41 = f'<PROTECTINFO><KID ALGID="AESCTR" CHECKSUM="AQIDBAUGBwg=" VALUE="{guid_text(AUDIO)}"/></PROTECTINFO>'
CUSTOM = "<CUSTOMATTRIBUTES xmlns=\"\"><a x='1'>one</a><b><c>in</c>two</b></CUSTOMATTRIBUTES>"
URLS = "<LA_URL>https://la.example/</LA_URL><LUI_URL>https://lui.example/</LUI_URL><DS_ID>VlR7IdsIJEuRd06Laqs2jw==</DS_ID>"
WRMHEADER = [
    ("2", "Windows Media DRM: mark, NUL, base64 with !, custom elements, one of them twice", b"\xff\xfe" + wide(MEDIA + "\0"),
     says("WRMHEADER", V, license_url="https://la.example/?a=1&b=2", content_id="WMID:7", security_version="2.2",
          attributes="Title=A <film>;Empty=", checksums="010203040506fb")),
    ("2-odd-end", "one byte too many at the end", wide(MEDIA) + b"\0",
     says("WRMHEADER", V, license_url="https://la.example/?a=1&b=2", content_id="WMID:7", security_version="2.2",
          attributes="Title=A <film>;Empty=", checksums="010203040506fb")),
    ("2-free-kid", "a KID that is any text names no key", media_header("<KID>number seven</KID>").encode(), says("WRMHEADER")),
    ("2-star", "base64 with * for /", media_header(f"<KID>{b64(bytes([255] * 16)).replace('/', '*')}</KID>").encode(),
     says("WRMHEADER", "ff" * 16)),
    ("4.0", "the key in elements, URLs, custom attributes", old_play_header(more=URLS + CUSTOM).encode(),
     says("WRMHEADER", V, license_url="https://la.example/", attributes="a=one;b=two")),
    ("4.1", "the key in attributes of one element", play_header("4.1.0.0", "<LA_URL></LA_URL>" + KEYS_41).encode(),
     says("WRMHEADER", A, checksums="0102030405060708")),
    ("4.2", "several keys", new_play_header("4.2.0.0").encode(), says("WRMHEADER", BOTH)),
    ("4.3", "several keys for AES-CBC", wide(new_play_header()), says("WRMHEADER", BOTH)),
    ("4.3-on-demand", "no key yet", play_header("4.3.0.0", "<DECRYPTORSETUP>ONDEMAND</DECRYPTORSETUP>").encode(), says("WRMHEADER")),
    ("4.3-unknown", "elements that nobody knows, comments and CDATA",
     play_header("4.3.0.0", f"<!-- c --><X><Y/></X><PROTECTINFO><Z/><KIDS><Q/><KID VALUE='{guid_text(VIDEO)}'><R/></KID></KIDS>"
                 "</PROTECTINFO><LA_URL><![CDATA[https://la.example/?a&b]]></LA_URL>").encode(),
     says("WRMHEADER", V, license_url="https://la.example/?a&b")),
    ("url-placeholder", "a license URL that is none is noted",
     old_play_header(more="<LA_URL>none</LA_URL>").encode(), says("WRMHEADER", V, notes=1)),
]

PRO = [
    ("bare", "a PlayReady Object", play_object_of(old_play_header()), says("PlayReady Object", V, systems=PLAYREADY)),
    ("store-only", "an embedded license store without a header", play_object([play_record(3, b"\1\2\3")]),
     says("PlayReady Object", systems=PLAYREADY)),
    ("sixteen", "an object as long as a bare key ID", play_object([play_record(3, b"store!")]), says("PlayReady Object", systems=PLAYREADY)),
    ("three-records", "a reserved record, a header, a license store",
     play_object([play_record(2, b""), play_record(1, wide(new_play_header())), play_record(3, b"x" * 9)]),
     says("PlayReady Object", BOTH, systems=PLAYREADY)),
]

KEY_DATA = widevine((1, 1), (2, VIDEO.bytes), (3, b"provider"), (4, b"film 7"), (2, b"\7"), (2, AUDIO.bytes), (9, 0x63626373))
PSSH = [
    ("common", "the common box with two key IDs", pssh(COMMON, kids=[VIDEO, AUDIO]), says("MP4", BOTH, systems=COMMON)),
    ("widevine", "key IDs, scheme and content ID in the data; a key ID of one byte is none", pssh(WIDEVINE, KEY_DATA),
     says("MP4", BOTH, systems=WIDEVINE, scheme="cbcs", content_id="film 7")),
    ("playready", "a PlayReady Object in a box that lists another key ID", pssh(PLAYREADY, play_object_of(old_play_header()), kids=[AUDIO]),
     says("MP4", f"{A};{V}", systems=PLAYREADY)),
    ("own", "our box with the license URL goes before that of PlayReady",
     pssh(PLAYREADY, play_object_of(old_play_header(more="<LA_URL>http://pr.example</LA_URL>")))
     + pssh(OWN, b"https://own.example/v1", kids=[VIDEO]),
     says("MP4", V, systems=f"{PLAYREADY};{OWN}", license_url="https://own.example/v1")),
    ("several", "boxes of one system count once each, all-zero key IDs name nothing",
     pssh(COMMON, kids=[VIDEO]) * 3 + pssh(COMMON, kids=[uuid.UUID(int=0), AUDIO]), says("MP4", BOTH, systems=COMMON)),
    ("empty", "a box without anything", pssh(uuid.UUID("29701fe4-3cc7-4a34-8c5b-ae90c7439a47")),
     says("MP4", systems="29701fe4-3cc7-4a34-8c5b-ae90c7439a47")),
    ("foreign-junk", "bad data of a foreign system does not hide the key ID that its box lists",
     pssh(PLAYREADY, b"junk", kids=[VIDEO]) + pssh(WIDEVINE, b"\x12\x7f", kids=[AUDIO]),
     says("MP4", BOTH, systems=f"{PLAYREADY};{WIDEVINE}", notes=2)),
]

URI = "data:text/plain;charset=UTF-16;base64," + b64(play_object_of(old_play_header()))
BOX_URI = "data:text/plain;base64," + b64(pssh(WIDEVINE, KEY_DATA))
HLS = "#EXTM3U\n#EXT-X-VERSION:5\n"
PROTECTION = 'ContentProtection schemeIdUri="urn:uuid:'
MP4_PROTECTION = f'<ContentProtection schemeIdUri="urn:mpeg:dash:mp4protection:2011" value="cbcs" cenc:default_KID="{VIDEO}"/>'
TEXT = [
    ("keyids", "W3C initialization data, with and without padding",
     b'{"kids":["%s","%s"]}' % (base64.urlsafe_b64encode(VIDEO.bytes).rstrip(b"="), b64(AUDIO.bytes).encode()), says("W3C keyids", BOTH)),
    ("key-id", "W3C initialization data of WebM", VIDEO.bytes, says("key ID", V)),
    ("hls-widevine", "a media playlist with a box", f'{HLS}#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT="urn:uuid:{str(WIDEVINE).upper()}",'
     f'KEYID=0x{V.upper()},KEYFORMATVERSIONS="1",URI="{BOX_URI}"\n'.encode(),
     says("HLS playlist", BOTH, systems=WIDEVINE, scheme="cbcs", content_id="film 7")),
    ("hls-session", "a session key of PlayReady, lines that end with CR LF",
     f'\ufeff{HLS}#EXT-X-SESSION-KEY:METHOD=ISO-23001-7,URI="{URI}",KEYFORMAT="com.microsoft.playready"\r\n'.replace("\n", "\r\n").encode(),
     says("HLS playlist", V, systems=PLAYREADY)),
    ("hls-own", "our system with a place to ask, and one line only",
     f'#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI="https://own.example/",KEYFORMAT="urn:uuid:{OWN}",KEYID=0x{A}'.encode(),
     says("HLS playlist", A, systems=OWN, scheme="cenc", license_url="https://own.example/")),
    ("hls-fairplay", "a system that names no key ID", (HLS + '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x",KEYFORMAT="com.apple.streamingkeydelivery"').encode(),
     says("HLS playlist", systems="94ce86fb-07ff-4f43-adb8-93d2fa968ca2", scheme="cbcs")),
    ("hls-open-key", "keys that anybody may fetch need no license",
     (HLS + '#EXT-X-KEY:METHOD=AES-128,URI="k"\n#EXT-X-KEY:METHOD=AES-128,URI="k",KEYFORMAT="identity"\n#EXT-X-KEY:METHOD=NONE\n').encode(),
     says("HLS playlist", protected="no")),
    ("hls-old-playready", "the tag of older playlists", f"{HLS}#EXT-X-PLAYREADYHEADER:{URI.split(',')[1]}\n".encode(),
     says("HLS playlist", V, systems=PLAYREADY)),
    ("hls-bad-data", "what a data URI carries wrongly does not hide the key ID of its tag",
     f'{HLS}#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT="com.microsoft.playready",KEYID=0x{V},URI="data:;base64,AAAA"'.encode(),
     says("HLS playlist", V, systems=PLAYREADY, scheme="cbcs", notes=1)),
    ("dash", "a manifest with boxes, a PlayReady Object and our system",
     f'<?xml version="1.0"?><MPD><Period><AdaptationSet>{MP4_PROTECTION}<{PROTECTION}{PLAYREADY}"><mspr:pro>'
     f'{URI.split(",")[1]}</mspr:pro></ContentProtection><{PROTECTION}{str(OWN).upper()}"><cenc:pssh>\n'
     f'{b64(pssh(OWN, b"https://own.example/", kids=[AUDIO]))}\n</cenc:pssh></ContentProtection></AdaptationSet></Period></MPD>'.encode(),
     says("DASH manifest", BOTH, systems=f"{PLAYREADY};{OWN}", scheme="cbcs", license_url="https://own.example/")),
    ("dash-elements", "protection elements alone; several key IDs in one attribute; a Clear Key place",
     f'{MP4_PROTECTION}<ContentProtection cenc:default_KID="{AUDIO} {VIDEO}"/><{PROTECTION}e2719d58-a985-b3c9-781a-b030af78d30e">'
     '<dashif:Laurl>https://ck.example/</dashif:Laurl></ContentProtection>'.encode(),
     says("DASH manifest", BOTH, systems="e2719d58-a985-b3c9-781a-b030af78d30e", scheme="cbcs", license_url="https://ck.example/")),
    ("dash-bad-box", "a box that is no base64 does not hide the key ID",
     f'<MPD>{MP4_PROTECTION}<{PROTECTION}{WIDEVINE}"><pssh>***</pssh></ContentProtection></MPD>'.encode(),
     says("DASH manifest", V, systems=WIDEVINE, scheme="cbcs", notes=1)),
    ("dash-clear", "a manifest of clear content", b"<MPD><Period/></MPD>", says("DASH manifest", protected="no")),
    ("smooth", "a Smooth Streaming manifest",
     f'<SmoothStreamingMedia><Protection><ProtectionHeader SystemID="{{{PLAYREADY}}}">{URI.split(",")[1]}</ProtectionHeader>'
     '</Protection></SmoothStreamingMedia>'.encode(), says("Smooth Streaming manifest", V, systems=PLAYREADY)),
]

ALL = {"asf": ASF, "wrmheader": WRMHEADER, "playready": PRO, "pssh": PSSH, "text": TEXT}
