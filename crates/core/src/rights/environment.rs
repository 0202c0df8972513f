//! What licenses are judged by beside their policies: the application, the device, the wall clock.

use crate::clock::Reading;
use std::borrow::Cow;
use wmlicense_wire::id::Digest;

/// Security version of a device that has none yet: lower than every other.
pub const NO_SECURITY_VERSION: &str = "0.0.0.0";

/// An application as it names itself. A claim that keeps honest applications from breaking with what was decided about them;
/// nothing proves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// Its ID, by which a status list names it.
    pub id: Option<String>,
    /// Its security level.
    pub level: u32,
}

/// What the evaluation needs to know about the device and the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Wall clock, seconds UTC, for what has no better one.
    pub now: i64,
    /// Four dotted numbers.
    pub security_version: Cow<'static, str>,
    /// Level of the application.
    pub application_level: u32,
    /// Authorities whose newest status list names the application.
    pub barred_by: Vec<Digest>,
}

impl Environment {
    /// The time for a license.
    pub(crate) fn reading(&self, of_license: Option<Reading>) -> Reading {
        of_license.unwrap_or(Reading { now: self.now, behind: None })
    }
}
