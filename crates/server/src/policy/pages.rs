//! Which terms the page of a browser can keep, which gets the key itself and is asked nothing more.

use super::Terms;
use wmlicense_wire::policy::Conditions;

/// The action that pages have keys for.
pub(crate) const PLAY: &str = "Play";

const COUNTS: &str = "true is possible only without count and secondsAfterFirstUse: a page cannot count uses";
const VERSIONS: &str = "true is possible only without minimumSecurityVersion, minimumApplicationLevel and outputProtection: \
                        of a page nothing of the kind is known";
const STATUS: &str = "true is possible only without minimumStatus: a page has no status list";
const ASKS: &str = "true is possible only without \"interaction\": \"page\": a page has no way to ask its user there";
const PLAYS: &str = "true is possible only with the action Play, which is what pages do";

impl Terms {
    /// What a page that has the key cannot keep of these terms; none where it keeps all of them.
    pub(crate) fn beyond_pages(&self) -> Option<&'static str> {
        let needs_version = |conditions: &Conditions| {
            conditions.minimum_security_version.is_some()
                || conditions.minimum_application_level.is_some()
                || conditions.output_protection.is_some()
        };
        let conditions = || self.actions.iter().map(|(_, conditions)| conditions);
        let faults = [
            (self.is_stateful(), COUNTS),
            (conditions().any(needs_version), VERSIONS),
            (self.minimum_status.is_some(), STATUS),
            (self.asks_user, ASKS),
            (!self.actions.iter().any(|(name, _)| name == PLAY), PLAYS),
        ];
        faults.into_iter().find(|(is, _)| *is).map(|(_, fault)| fault)
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    #[test]
    fn terms_that_no_page_can_keep_are_refused_when_they_are_set() {
        for bad in [
            r#""actions":{"Play":{"count":3}}"#,
            r#""actions":{"Play":{},"Copy":{"secondsAfterFirstUse":9}}"#,
            r#""minimumSecurityVersion":"2.4.0.0""#,
            r#""actions":{"Play":{"minimumApplicationLevel":2}}"#,
            r#""actions":{"Play":{"outputProtection":"AA=="}}"#,
            r#""minimumStatus":7"#,
            r#""interaction":"page""#,
            r#""actions":{"Copy":{}}"#,
        ] {
            let faults = parse(&format!(r#"{{"clearKey":true,{bad}}}"#)).unwrap_err();
            let pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
            assert_eq!(pointers, ["/clearKey"], "{bad}");
            assert!(!parse(&format!(r#"{{"clearKey":false,{bad}}}"#)).unwrap().clear_key, "{bad}");
        }
        let good =
            r#"{"clearKey":true,"actions":{"Play":{"notAfter":"2027-01-01T00:00:00Z","secondsAfterStoring":60}}}"#;
        assert!(parse(good).unwrap().clear_key);
        assert!(!parse("{}").unwrap().clear_key, "nobody said so");
    }
}
