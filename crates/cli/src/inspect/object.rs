//! What content says about its protection, as one JSON object. Absent values are null.

use super::keys::Keys;
use super::lines::hex;
use serde_json::{Value, json};
use wmlicense_media::{AsfHeader, ContentHeader, ProtectionSystem, SampleEntry, SystemId, Track, WrmHeader, WrmKey};
use wmlicense_wire::id::Kid;

pub(super) fn of(header: &ContentHeader, keys: &Keys) -> Value {
    let wrm = |wrm: &WrmHeader| wrm_header(wrm, keys);
    json!({
        "container": header.container().name(),
        "protected": header.is_protected(),
        "scheme": header.scheme().map(|scheme| scheme.to_string()),
        "kids": header.kids().iter().copied().map(kid).collect::<Value>(),
        "systems": header.system_ids().iter().copied().map(system).collect::<Value>(),
        "licenseUrls": header.license_urls().iter().map(|url| json!({
            "url": url.url,
            "system": url.system.map(|id| id.to_string()),
        })).collect::<Value>(),
        "contentId": header.content_id(),
        "securityVersion": header.security_version(),
        "attributes": header.attributes().into_iter().map(pair).collect::<Value>(),
        "tracks": header.tracks().iter().map(track).collect::<Value>(),
        "boxes": header.systems().iter().map(pssh).collect::<Value>(),
        "wrmHeaders": header.wrm_headers().iter().map(wrm).collect::<Value>(),
        "asf": header.asf().map(asf),
        "notReadable": header.notes().map(|note| Value::from(note.to_string())).collect::<Value>(),
    })
}

fn kid(kid: Kid) -> Value {
    json!({ "hex": kid.to_hex(), "base64": kid.to_base64() })
}

fn system(system: SystemId) -> Value {
    json!({ "id": system.to_string(), "name": system.name() })
}

fn pair((name, value): (&str, &str)) -> Value {
    json!({ "name": name, "value": value })
}

fn track(track: &Track) -> Value {
    json!({
        "id": track.id,
        "handler": track.handler.to_string(),
        "entries": track.entries.iter().map(entry).collect::<Value>(),
    })
}

fn entry(entry: &SampleEntry) -> Value {
    let protection = entry.protection.as_ref();
    let defaults = protection.and_then(|protection| protection.defaults.as_ref());
    json!({
        "format": entry.format.to_string(),
        "scheme": protection.map(|protection| protection.scheme.to_string()),
        "defaultKid": defaults.map(|defaults| kid(defaults.kid)),
        "ivBytes": defaults.map(|defaults| defaults.iv_size),
        "constantIv": defaults.map(|defaults| hex(defaults.constant_iv.as_slice())).filter(|iv| !iv.is_empty()),
        "cryptBlocks": defaults.map(|defaults| defaults.crypt_byte_block),
        "skipBlocks": defaults.map(|defaults| defaults.skip_byte_block),
    })
}

fn pssh(pssh: &ProtectionSystem) -> Value {
    json!({
        "system": system(pssh.system),
        "version": pssh.version,
        "kids": pssh.kids.iter().copied().map(kid).collect::<Value>(),
        "dataBytes": pssh.data.len(),
    })
}

fn wrm_header(wrm: &WrmHeader, keys: &Keys) -> Value {
    let key = |key: &WrmKey| {
        json!({
            "text": key.text,
            "kid": key.kid.map(kid),
            "algorithm": key.algorithm.map(|algorithm| algorithm.name()),
            "checksum": key.checksum.as_deref().map(hex),
            "givenKeyIsRight": keys.verdict(key),
        })
    };
    json!({
        "version": wrm.version,
        "keys": wrm.keys.iter().map(key).collect::<Value>(),
        "licenseUrl": wrm.license_url,
        "userUrl": wrm.user_url,
        "domainService": wrm.domain_service,
        "signed": wrm.is_signed,
        "onDemand": wrm.is_on_demand,
        "repeated": wrm.repeated,
    })
}

fn asf(asf: &AsfHeader) -> Value {
    json!({
        "contentEncryption": asf.content_encryption.as_ref().map(|object| json!({
            "protectionType": object.protection_type,
            "keyId": object.key_id,
            "licenseUrl": object.license_url,
            "secretBytes": object.secret_size,
        })),
        "streams": asf.streams.iter().map(|(number, is_encrypted)| json!({
            "number": number,
            "encrypted": is_encrypted,
        })).collect::<Value>(),
        "advanced": asf.advanced.iter().map(|record| json!({
            "system": system(record.system),
            "version": record.version,
            "streams": record.streams,
        })).collect::<Value>(),
    })
}
