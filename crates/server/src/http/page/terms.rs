//! The terms of a license as a person would say them, in the language of the page.

use super::texts::{Texts, fill};
use crate::policy::{Terms, to_rfc3339};
use wmlicense_wire::policy::{BackupRight, Conditions};

/// One sentence for each thing that the terms say.
pub(super) fn sentences(terms: &Terms, texts: &Texts) -> Vec<String> {
    let mut said: Vec<String> = terms
        .actions
        .iter()
        .map(|(action, conditions)| {
            let limits = limits(conditions, texts);
            let limits = if limits.is_empty() { texts.unlimited.to_owned() } else { limits.join(", ") };
            fill(texts.action_limits, [name_of(action, texts), &limits])
        })
        .collect();
    let devices = terms.restore_devices;
    said.push(match terms.backup {
        BackupRight::No => texts.stays.to_owned(),
        BackupRight::Stateless | BackupRight::Stateful if devices == 1 => texts.backup_here.to_owned(),
        BackupRight::Stateless | BackupRight::Stateful => fill(texts.backup_devices, [&devices.to_string()]),
    });
    said
}

/// Names that are an owner's own stay as they are.
fn name_of<'t>(action: &'t str, texts: &Texts) -> &'t str {
    match action {
        "Play" => texts.play,
        "Copy" => texts.copy,
        "PlaylistBurn" => texts.burn_list,
        "Print.redbook" => texts.burn,
        "Transfer.SDMI" | "Transfer.NONSDMI" => texts.transfer,
        "CreateThumbnailImage" => texts.thumbnail,
        "CollaborativePlay" => texts.together,
        "Backup" => texts.back_up,
        other => other,
    }
}

fn limits(conditions: &Conditions, texts: &Texts) -> Vec<String> {
    let span = |text, seconds| fill(text, [&duration(seconds, texts)]);
    let mut limits = Vec::new();
    limits.extend(conditions.not_before.map(|time| fill(texts.not_before, [&date(time)])));
    limits.extend(conditions.not_after.map(|time| fill(texts.not_after, [&date(time)])));
    limits.extend(conditions.seconds_after_first_use.map(|seconds| span(texts.after_use, seconds)));
    limits.extend(conditions.seconds_after_storing.map(|seconds| span(texts.after_storing, seconds)));
    limits.extend(conditions.count.map(|count| match count {
        1 => texts.once.to_owned(),
        count => fill(texts.times, [&count.to_string()]),
    }));
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

fn duration(seconds: u64, texts: &Texts) -> String {
    let units = [
        (86_400, texts.day, texts.days),
        (3600, texts.hour, texts.hours),
        (60, texts.minute, texts.minutes),
        (1, texts.second, texts.seconds),
    ];
    let unit = units.into_iter().find(|(length, ..)| seconds.is_multiple_of(*length) && seconds >= *length);
    let (length, one, many) = unit.unwrap_or((1, texts.second, texts.seconds));
    match seconds / length {
        1 => one.to_owned(),
        count => fill(many, [&count.to_string()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::page::texts::ALL;
    use crate::policy::parse;

    #[test]
    fn terms_are_told_as_a_person_would_in_each_language() {
        let terms = parse(
            r#"{"actions":{"Play":{"notAfter":"2027-01-01T00:00:00Z","count":10,"secondsAfterFirstUse":172800},"Copy":{"count":1},
                "CollaborativePlay":{}},"backup":true}"#,
        );
        let terms = terms.unwrap();
        let [english, german, french] = ALL.map(|texts| sentences(&terms, texts));
        assert_eq!(
            english,
            [
                "Play together with others: as often as you like.",
                "Copy: once.",
                "Play: until 2027-01-01, 00:00 UTC, for 2 days after the first use, up to 10 times.",
                "You may back it up, and restore it on 4 devices in all.",
            ]
        );
        assert_eq!(german[2], "Abspielen: bis 2027-01-01, 00:00 UTC, 2 Tage ab der ersten Nutzung, bis zu 10-mal.");
        assert_eq!(german[3], "Sie dürfen es sichern und auf insgesamt 4 Geräten wiederherstellen.");
        assert_eq!(french[1], "Copier : une fois.");
        let [english, german, french] = ALL;
        assert_eq!(duration(1, english), "1 second");
        assert_eq!(duration(5400, english), "90 minutes");
        assert_eq!((duration(3600, german), duration(86_400, french)), ("1 Stunde".to_owned(), "1 jour".to_owned()));
        assert_eq!(sentences(&Terms::default(), english)[1], "It stays on this device: backups leave it out.");
    }
}
