//! What content says about its protection, as lines for people.

use super::keys::Keys;
use crate::text::plain;
use std::fmt::Write as _;
use wmlicense_media::{AsfHeader, ContentHeader, SampleEntry, SystemId, Track, WrmHeader};

pub(super) fn of(header: &ContentHeader, keys: &Keys) -> String {
    let mut text = String::new();
    let protected = if header.is_protected() { "protected" } else { "not protected" };
    let scheme = header.scheme().map_or_else(String::new, |scheme| format!(" with {scheme}"));
    line(&mut text, header.container().name(), &format!("{protected}{scheme}"));
    for track in header.tracks() {
        tracks(&mut text, track);
    }
    for kid in header.kids() {
        line(&mut text, "key ID", &format!("{}  {}", kid.to_hex(), kid.to_base64()));
    }
    for system in header.system_ids() {
        line(&mut text, "system", &named(*system));
    }
    for url in header.license_urls() {
        let system = url.system.map_or_else(String::new, |system| format!("  ({})", short(system)));
        line(&mut text, "license URL, not verified", &format!("{}{system}", url.url));
    }
    optional(&mut text, "content ID", header.content_id());
    optional(&mut text, "security version", header.security_version());
    for wrm in header.wrm_headers() {
        wrm_header(&mut text, wrm, keys);
    }
    if let Some(asf) = header.asf() {
        asf_header(&mut text, asf);
    }
    for (name, value) in header.attributes() {
        line(&mut text, &format!("attribute {name}"), value);
    }
    for note in header.notes() {
        line(&mut text, "not readable", &note.to_string());
    }
    text
}

fn line(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "{}: {}", plain(name), plain(value));
}

fn optional(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(text, name, value);
    }
}

fn named(system: SystemId) -> String {
    system.name().map_or_else(|| system.to_string(), |name| format!("{system}  {name}"))
}

fn short(system: SystemId) -> String {
    system.name().map_or_else(|| system.to_string(), str::to_owned)
}

fn tracks(text: &mut String, track: &Track) {
    let entries: Vec<String> = track.entries.iter().map(entry).collect();
    line(text, &format!("track {} ({})", track.id, track.handler), &entries.join("; "));
}

fn entry(entry: &SampleEntry) -> String {
    let Some(protection) = &entry.protection else { return format!("{} clear", entry.format) };
    let mut text = format!("{} {}", entry.format, protection.scheme);
    if let Some(defaults) = &protection.defaults {
        let _ = write!(text, " key ID {}", defaults.kid.to_hex());
        if defaults.crypt_byte_block > 0 {
            let _ = write!(text, " pattern {}:{}", defaults.crypt_byte_block, defaults.skip_byte_block);
        }
        let constant = defaults.constant_iv.as_slice().len();
        let _ = match constant {
            0 => write!(text, " IV of {} bytes", defaults.iv_size),
            length => write!(text, " constant IV of {length} bytes"),
        };
    }
    text
}

fn wrm_header(text: &mut String, wrm: &WrmHeader, keys: &Keys) {
    let signed = if wrm.is_signed { ", with a signature that nobody can verify" } else { "" };
    let demand = if wrm.is_on_demand { ", key on demand" } else { "" };
    line(text, "WRMHEADER", &format!("{}{signed}{demand}", wrm.version));
    for key in &wrm.keys {
        let kid = key.kid.map_or_else(|| format!("{:?} (no key ID)", key.text), |kid| kid.to_hex());
        let algorithm = key.algorithm.map_or("no algorithm", |algorithm| algorithm.name());
        let sum =
            key.checksum.as_ref().map_or_else(|| "no checksum".to_owned(), |sum| format!("checksum {}", hex(sum)));
        let verdict = match keys.verdict(key) {
            Some(true) => ", the given key is right",
            Some(false) => ", THE GIVEN KEY IS WRONG",
            None => "",
        };
        line(text, "  key", &format!("{kid}, {algorithm}, {sum}{verdict}"));
    }
    optional(text, "  page for users, not verified", wrm.user_url.as_deref());
    optional(text, "  domain service", wrm.domain_service.as_deref());
    if !wrm.repeated.is_empty() {
        line(text, "  repeated, the first counts", &wrm.repeated.join(", "));
    }
}

fn asf_header(text: &mut String, asf: &AsfHeader) {
    for (number, is_encrypted) in &asf.streams {
        line(text, &format!("stream {number}"), if *is_encrypted { "encrypted" } else { "clear" });
    }
    if let Some(object) = &asf.content_encryption {
        let value = format!("{}, key ID {:?}", object.protection_type, object.key_id);
        line(text, "content encryption", &value);
    }
    for record in &asf.advanced {
        let streams: Vec<String> = record.streams.iter().map(u16::to_string).collect();
        let value = format!("{}, version {}, streams {}", named(record.system), record.version, streams.join(", "));
        line(text, "advanced content encryption", &value);
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
