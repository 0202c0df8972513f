//! Evaluation of policies: what may be done now, what is left, which license is used. Pure functions over policy, state and time.

use crate::store::StoredLicense;

/// Why an action is refused. Several may hold at once when no license helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// No license for the key ID.
    NoLicense,
    /// No license grants the action.
    NoRight,
    /// All uses are used up.
    Exhausted,
    /// The right has ended.
    Expired,
    /// The right has not begun.
    NotStarted,
    /// The application's level is too low.
    ApplicationLevelTooLow,
    /// The device must be individualized again for a higher security version.
    NeedsIndividualization,
    /// The clock cannot be trusted and the right has dates.
    Clock,
    /// The root license of the subscription is missing or closed.
    RootMissing,
    /// The license's state row is missing or was changed.
    StateLost,
}

/// What the evaluation needs to know about the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Seconds UTC.
    pub now: i64,
    /// Four dotted numbers.
    pub security_version: String,
    /// Level of the application.
    pub application_level: u32,
}

/// Chooses the license to use for an action: unusable ones aside, highest priority first, then stateless before stateful,
/// then earliest end, then LID. Refusals of all licenses, without duplicates, if none is usable.
pub fn choose<'l>(
    licenses: &'l [StoredLicense],
    action: &str,
    environment: &Environment,
) -> Result<&'l StoredLicense, Vec<Refusal>> {
    let _ = (licenses, action, environment);
    todo!()
}
