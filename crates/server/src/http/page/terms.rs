//! The terms of a license in plain English.

use crate::policy::{Terms, to_rfc3339};
use wmlicense_wire::policy::{BackupRight, Conditions};

/// One sentence for each thing that the terms say.
pub(super) fn sentences(terms: &Terms) -> Vec<String> {
    let mut said: Vec<String> = terms
        .actions
        .iter()
        .map(|(action, conditions)| {
            let limits = limits(conditions);
            let limits = if limits.is_empty() { "as often as you like".to_owned() } else { limits.join(", ") };
            format!("{}: {limits}.", name_of(action))
        })
        .collect();
    let devices = terms.restore_devices;
    said.push(match terms.backup {
        BackupRight::No => "It stays on this device: backups leave it out.".to_owned(),
        BackupRight::Stateless | BackupRight::Stateful if devices == 1 => {
            "You may back it up, for this device only.".to_owned()
        }
        BackupRight::Stateless | BackupRight::Stateful => {
            format!("You may back it up, and restore it on {devices} devices in all.")
        }
    });
    said
}

fn name_of(action: &str) -> &str {
    match action {
        "Copy" => "Copy",
        "PlaylistBurn" => "Burn to an audio CD in a playlist",
        "Print.redbook" => "Burn to an audio CD",
        "Transfer.SDMI" | "Transfer.NONSDMI" => "Transfer to a portable device",
        "CreateThumbnailImage" => "Make a preview picture",
        "CollaborativePlay" => "Play together with others",
        "Backup" => "Back up",
        other => other,
    }
}

fn limits(conditions: &Conditions) -> Vec<String> {
    let mut limits = Vec::new();
    limits.extend(conditions.not_before.map(|time| format!("from {}", date(time))));
    limits.extend(conditions.not_after.map(|time| format!("until {}", date(time))));
    limits.extend(conditions.seconds_after_first_use.map(|time| format!("for {} after the first use", duration(time))));
    limits.extend(conditions.seconds_after_storing.map(|time| format!("for {} from now on", duration(time))));
    limits.extend(
        conditions.count.map(|count| if count == 1 { "once".to_owned() } else { format!("up to {count} times") }),
    );
    limits
}

/// To the minute.
fn date(time: i64) -> String {
    let text = to_rfc3339(time);
    match text.split_once('T') {
        Some((day, hour)) => format!("{day}, {} UTC", hour.get(..5).unwrap_or(hour)),
        None => text,
    }
}

fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let unit = units.into_iter().find(|(length, _)| seconds.is_multiple_of(*length) && seconds >= *length);
    let (length, name) = unit.unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    #[test]
    fn terms_are_told_as_a_person_would() {
        let terms = parse(
            r#"{"actions":{"Play":{"notAfter":"2027-01-01T00:00:00Z","count":10,"secondsAfterFirstUse":172800},"Copy":{"count":1},
                "CollaborativePlay":{}},"backup":true}"#,
        );
        assert_eq!(
            sentences(&terms.unwrap()),
            [
                "Play together with others: as often as you like.",
                "Copy: once.",
                "Play: until 2027-01-01, 00:00 UTC, for 2 days after the first use, up to 10 times.",
                "You may back it up, and restore it on 4 devices in all.",
            ]
        );
        assert_eq!(duration(1), "1 second");
        assert_eq!(duration(5400), "90 minutes");
        assert_eq!(sentences(&Terms::default())[1], "It stays on this device: backups leave it out.");
    }
}
