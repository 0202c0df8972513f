//! The JSON form of terms. Every wrong field is reported by its JSON pointer (RFC 6901), all at once.

use super::time::parse_rfc3339;
use super::{Renewal, Terms};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use wmlicense_wire::policy::{self, BackupRight, Conditions, OnClockRollback};
use wmlicense_wire::url::Url;

/// Longest texts, so that a license stays within the caps of the protocol.
const MAX_ACTION_LEN: usize = 64;
const MAX_URL_LEN: usize = 512;
const MAX_OUTPUT_PROTECTION: usize = 256;

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// JSON pointer to the field; empty for the whole document.
    pub(crate) pointer: String,
    /// What is expected there.
    pub(crate) expected: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pointer = if self.pointer.is_empty() { "/" } else { &self.pointer };
        write!(f, "{pointer}: {}", self.expected)
    }
}

/// Reads terms, or says what is wrong with each field that is.
pub(crate) fn parse(text: &str) -> Result<Terms, Vec<Fault>> {
    let whole = |expected| vec![Fault { pointer: String::new(), expected }];
    let value: Value = serde_json::from_str(text).map_err(|_| whole("a JSON document is expected"))?;
    let Value::Object(map) = value else { return Err(whole("an object is expected")) };
    let mut faults = Vec::new();
    let terms = read_terms(&mut Object { pointer: String::new(), map, faults: &mut faults });
    if faults.is_empty() && longest_policy(&terms) > policy::MAX_LEN {
        faults.extend(whole("the policy is longer than a license may carry"));
    }
    if faults.is_empty() { Ok(terms) } else { Err(faults) }
}

/// Room that a policy takes with the longest title and every optional field.
fn longest_policy(terms: &Terms) -> usize {
    const OTHER_FIELDS: usize = 512;
    let bare = Terms { actions: Vec::new(), ..terms.clone() };
    let facts = || super::Facts {
        lid: wmlicense_wire::id::Lid::new([0; 16]),
        kid: wmlicense_wire::id::Kid::new([0; 16]),
        kind: wmlicense_wire::policy::LicenseKind::Content,
        root_kid: None,
        issuer: wmlicense_wire::id::ServiceId::new([0; 16]),
        management: None,
        revocation: None,
        title: None,
        user: None,
        first_issued: 0,
        replaces: None,
    };
    let actions = terms.policy(facts()).encode().len() - bare.policy(facts()).encode().len();
    actions + crate::catalogue::MAX_TITLE_LEN + OTHER_FIELDS
}

fn read_terms(object: &mut Object<'_>) -> Terms {
    let mut terms = Terms::default();
    if let Some(actions) = object.take("actions", "an object of actions is expected", as_object) {
        terms.actions = read_actions(object, actions);
    }
    let backup = |value: Value| match value {
        Value::Bool(true) => Some(BackupRight::Stateless),
        Value::Bool(false) => Some(BackupRight::No),
        Value::String(text) if text == "stateful" => Some(BackupRight::Stateful),
        _ => None,
    };
    object.set("backup", "true, false or \"stateful\" is expected", backup, &mut terms.backup);
    let devices = |value: Value| u32::try_from(value.as_u64()?).ok().filter(|devices| (1..=100_000).contains(devices));
    object.set(
        "restoreDevices",
        "a number of devices from 1 to 100000 is expected",
        devices,
        &mut terms.restore_devices,
    );
    let renewal = |value: Value| match value.as_str()? {
        "carry" => Some(Renewal::Carry),
        "extend" => Some(Renewal::Extend),
        "fresh" => Some(Renewal::Fresh),
        _ => None,
    };
    object.set("renewal", "\"carry\", \"extend\" or \"fresh\" is expected", renewal, &mut terms.renewal);
    object.set("priority", "a whole number is expected", |value| value.as_i64(), &mut terms.priority);
    let version = object.take("minimumSecurityVersion", VERSION, as_version);
    let rollback =
        object.take("onClockRollback", "\"disable\" or \"delete\" is expected", |value| match value.as_str()? {
            "disable" => Some(OnClockRollback::Disable),
            "delete" => Some(OnClockRollback::Delete),
            _ => None,
        });
    for (_, conditions) in &mut terms.actions {
        if conditions.minimum_security_version.is_none() {
            conditions.minimum_security_version.clone_from(&version);
        }
        conditions.on_clock_rollback = rollback.unwrap_or_default();
    }
    let key = |value: Value| (value.as_str()? == "default").then_some(true);
    object.set("revocationKey", "\"default\" is expected", key, &mut terms.revocable);
    let name = |value: Value| {
        value
            .as_str()
            .filter(|name| (1..=128).contains(&name.len()) && !name.chars().any(char::is_control))
            .map(str::to_owned)
    };
    terms.subscription = object.take("subscription", "the name of a subscription is expected", name);
    let number = |value: Value| value.as_u64().map(Some);
    object.set("minimumStatus", "the number of a status list is expected", number, &mut terms.minimum_status);
    let interaction = |value: Value| match value.as_str()? {
        "none" => Some(false),
        "page" => Some(true),
        _ => None,
    };
    object.set("interaction", "\"none\" or \"page\" is expected", interaction, &mut terms.asks_user);
    let allotment = |value: Value| u32::try_from(value.as_u64()?).ok().filter(|uses| *uses > 0).map(Some);
    object.set("allotment", "a number of uses from 1 to 4294967295 is expected", allotment, &mut terms.allotment);
    object.set("clearKey", "true or false is expected", |value| value.as_bool(), &mut terms.clear_key);
    if let Some(beyond) = terms.beyond_pages().filter(|_| terms.clear_key) {
        object.fault("clearKey", beyond);
    }
    object.finish();
    terms
}

fn read_actions(object: &mut Object<'_>, actions: Map<String, Value>) -> Vec<(String, Conditions)> {
    let pointer = format!("{}/actions", object.pointer);
    if actions.is_empty() || actions.len() > policy::MAX_ACTIONS {
        object.faults.push(Fault { pointer, expected: "1 to 32 actions are expected" });
        return Vec::new();
    }
    let mut read = Vec::with_capacity(actions.len());
    for (name, value) in actions {
        let pointer = format!("{pointer}/{}", escape(&name));
        if name.is_empty() || name.len() > MAX_ACTION_LEN || name.chars().any(char::is_control) {
            let expected = "an action has a name of 1 to 64 bytes without control characters";
            object.faults.push(Fault { pointer, expected });
            continue;
        }
        let Value::Object(map) = value else {
            object.faults.push(Fault { pointer, expected: "an object of conditions is expected" });
            continue;
        };
        let conditions = read_conditions(&mut Object { pointer, map, faults: object.faults });
        read.push((name, conditions));
    }
    read.sort_by(|a, b| a.0.cmp(&b.0));
    read
}

const VERSION: &str = "four numbers with dots between them are expected";
const DATE: &str = "a date like \"2027-01-01T00:00:00Z\" is expected";
const SECONDS: &str = "a number of seconds of at least 0 is expected";

fn read_conditions(object: &mut Object<'_>) -> Conditions {
    let seconds = |value: Value| value.as_u64().filter(|seconds| *seconds <= i64::MAX as u64 / 2);
    let number = |value: Value| u32::try_from(value.as_u64()?).ok();
    let output = |value: Value| STANDARD.decode(value.as_str()?).ok().filter(|map| map.len() <= MAX_OUTPUT_PROTECTION);
    let conditions = Conditions {
        not_before: object.take("notBefore", DATE, as_date),
        not_after: object.take("notAfter", DATE, as_date),
        seconds_after_first_use: object.take("secondsAfterFirstUse", SECONDS, seconds),
        seconds_after_storing: object.take("secondsAfterStoring", SECONDS, seconds),
        count: object.take("count", "a number of uses from 0 to 4294967295 is expected", number),
        seconds_per_count: object.take("secondsPerCount", SECONDS, seconds),
        grace_seconds: object.take("graceSeconds", SECONDS, seconds),
        minimum_security_version: object.take("minimumSecurityVersion", VERSION, as_version),
        minimum_application_level: object.take("minimumApplicationLevel", "a number from 0 is expected", number),
        output_protection: object.take("outputProtection", "at most 256 bytes in base64 are expected", output),
        renew_after: object.take(
            "renewAfter",
            "an object of `time` (a date) and `url` (https) is expected",
            as_renewal,
        ),
        on_clock_rollback: OnClockRollback::Disable,
        close_at_expiry: object.take("closeAtExpiry", "true or false is expected", |v| v.as_bool()).unwrap_or_default(),
        unknown_critical: false,
    };
    if matches!((conditions.not_before, conditions.not_after), (Some(from), Some(to)) if from >= to) {
        object.fault("notAfter", "a date after `notBefore` is expected");
    }
    if conditions.seconds_per_count.is_some() && conditions.count.is_none() {
        object.fault("secondsPerCount", "it needs `count` beside it");
    }
    object.finish();
    conditions
}

fn as_object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

fn as_date(value: Value) -> Option<i64> {
    parse_rfc3339(value.as_str()?)
}

fn as_version(value: Value) -> Option<String> {
    value.as_str().filter(|text| is_version(text)).map(str::to_owned)
}

/// True for four numbers of at most 16 bits with dots between them: a security version.
pub(crate) fn is_version(text: &str) -> bool {
    let number =
        |part: &str| part.len() <= 5 && part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u16>().is_ok();
    text.split('.').count() == 4 && text.split('.').all(number)
}

fn as_renewal(value: Value) -> Option<(i64, String)> {
    let map = value.as_object().filter(|map| map.len() == 2)?;
    let url = map.get("url")?.as_str().filter(|url| is_page(url))?;
    Some((parse_rfc3339(map.get("time")?.as_str()?)?, url.to_owned()))
}

fn is_page(url: &str) -> bool {
    url.len() <= MAX_URL_LEN && url.starts_with("https://") && Url::page(url).is_ok()
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// An object whose fields are taken one by one; what is left at the end is unknown.
struct Object<'f> {
    pointer: String,
    map: Map<String, Value>,
    faults: &'f mut Vec<Fault>,
}

impl Object<'_> {
    fn fault(&mut self, name: &str, expected: &'static str) {
        self.faults.push(Fault { pointer: format!("{}/{}", self.pointer, escape(name)), expected });
    }

    fn take<T>(&mut self, name: &str, expected: &'static str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let read = read(self.map.remove(name)?);
        if read.is_none() {
            self.fault(name, expected);
        }
        read
    }

    fn set<T>(&mut self, name: &str, expected: &'static str, read: impl FnOnce(Value) -> Option<T>, field: &mut T) {
        if let Some(value) = self.take(name, expected, read) {
            *field = value;
        }
    }

    fn finish(&mut self) {
        let unknown: Vec<String> = self.map.keys().cloned().collect();
        for name in unknown {
            self.fault(&name, "there is no such field");
        }
    }
}

#[cfg(test)]
mod tests;
