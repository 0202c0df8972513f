//! How a stored license stands on this device now: whether something of it may be done, else why not. The judgement is the
//! core's; here are the words for it.

use crate::failure::Failure;
use wmlicense_core::client::Client;
use wmlicense_core::license::StoredLicense;
use wmlicense_core::rights::{self, Environment, NO_SECURITY_VERSION, Refusal};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::over::over;
use wmlicense_wire::policy::LicenseKind;

/// What uses of these licenses are judged by, for an application without a level of its own. The device's certificate is read
/// only where a license has something to ask it.
pub(crate) fn environment(client: &Client, licenses: &[StoredLicense]) -> Result<Environment, Failure> {
    let now = client.clock.now();
    let mut environment =
        Environment { now, security_version: NO_SECURITY_VERSION.into(), application_level: 0, barred_by: Vec::new() };
    for license in licenses {
        let mut conditions = license.policy.actions.iter().map(|(_, conditions)| conditions);
        let asks = license.policy.kind == LicenseKind::Leaf
            || conditions.any(|conditions| conditions.minimum_security_version.is_some());
        if asks && let Some(found) = client.store.device_certificate(license.authority)? {
            environment.security_version = found.security_version.into();
        }
    }
    Ok(environment)
}

/// Why nothing of a license may be done now; none where something may.
pub(crate) fn obstacle(license: &StoredLicense, environment: &Environment) -> Option<Refusal> {
    if license.policy.kind == LicenseKind::Root {
        return obstacle_of_root(license, environment);
    }
    let mut found = None;
    for (action, _) in &license.policy.actions {
        match rights::allowed(std::slice::from_ref(license), action, environment) {
            Ok(()) => return None,
            Err(refusals) => found = found.or(refusals.first().copied()),
        }
    }
    found.or(Some(Refusal::NoRight))
}

/// A root opens other licenses and nothing by itself, so that only its end counts.
fn obstacle_of_root(license: &StoredLicense, environment: &Environment) -> Option<Refusal> {
    let Some(state) = &license.state else { return Some(Refusal::StateLost) };
    over(&license.policy, state, environment.now).map(|reason| match reason {
        Reason::UsedUp => Refusal::Exhausted,
        _ => Refusal::Expired,
    })
}

/// An obstacle in a word or two.
pub(crate) fn word(obstacle: Refusal) -> &'static str {
    match obstacle {
        Refusal::NoLicense => "no license",
        Refusal::NoRight => "permits nothing",
        Refusal::UnknownCondition => "unknown condition",
        Refusal::Exhausted => "used up",
        Refusal::Expired => "expired",
        Refusal::NotStarted => "not yet valid",
        Refusal::ApplicationLevelTooLow => "needs another application",
        Refusal::NeedsIndividualization => "needs individualization",
        Refusal::Clock => "clock behind",
        Refusal::RootMissing => "subscription missing",
        Refusal::SubscriptionEnded => "subscription ended",
        Refusal::StateLost => "state lost",
        Refusal::IssuerRevoked => "issuer revoked",
        Refusal::DeviceRevoked => "device revoked",
        Refusal::ApplicationRevoked => "application revoked",
        Refusal::StatusListTooOld => "status list too old",
    }
}

/// True if an obstacle stays whatever the user does with this license.
pub(crate) fn is_final(obstacle: Refusal) -> bool {
    match obstacle {
        Refusal::Exhausted
        | Refusal::Expired
        | Refusal::SubscriptionEnded
        | Refusal::StateLost
        | Refusal::IssuerRevoked
        | Refusal::DeviceRevoked => true,
        Refusal::NoLicense
        | Refusal::NoRight
        | Refusal::UnknownCondition
        | Refusal::NotStarted
        | Refusal::ApplicationLevelTooLow
        | Refusal::NeedsIndividualization
        | Refusal::Clock
        | Refusal::RootMissing
        | Refusal::ApplicationRevoked
        | Refusal::StatusListTooOld => false,
    }
}
