//! What ends: certificates of roles and the status list. The log says so from thirty days before on, once a day.

use crate::clock::DAY;
use crate::service::Service;
use wmlicense_wire::certificate::Role;

/// From how long before its end on a certificate is warned of, in days.
pub(crate) const WARNED_DAYS: i64 = 30;

/// Whole days until an end; below zero when it is over.
pub(crate) fn days(end: i64, now: i64) -> i64 {
    end.saturating_sub(now).div_euclid(DAY)
}

/// Something that ends soon, or has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The certificate of a role, and days until then.
    Certificate(Role, i64),
    /// The certificate of a role is over.
    Ended(Role),
    /// A newer status list is due.
    StatusList,
}

/// Who watches the ends, and when it spoke last.
#[derive(Default)]
pub(crate) struct Watch {
    warned_at: Option<i64>,
}

impl Watch {
    /// Warns of what ends soon, unless it did within the last day.
    pub(crate) fn look(&mut self, service: &Service) {
        let due = service.status().map(|published| published.list.next_update);
        for ending in self.endings(service.clock.now(), &service.certificates_end(), due) {
            match ending {
                Ending::Certificate(role, days) => {
                    tracing::warn!(
                        role = role.name(),
                        days,
                        "the certificate ends; run `wmlicensed certificate renew`"
                    );
                }
                Ending::Ended(role) => {
                    tracing::error!(
                        role = role.name(),
                        "the certificate has ended; run `wmlicensed certificate renew`"
                    );
                }
                Ending::StatusList => tracing::warn!("a newer status list is due; run `wmlicensed status publish`"),
            }
        }
    }

    /// What is to be said at `now`.
    fn endings(&mut self, now: i64, certificates: &[(Role, i64)], status_due: Option<i64>) -> Vec<Ending> {
        if self.warned_at.is_some_and(|at| (at..at.saturating_add(DAY)).contains(&now)) {
            return Vec::new();
        }
        let of_role = |(role, end): &(Role, i64)| match days(*end, now) {
            _ if *end <= now => Some(Ending::Ended(*role)),
            left if left < WARNED_DAYS => Some(Ending::Certificate(*role, left)),
            _ => None,
        };
        let mut endings: Vec<Ending> = certificates.iter().filter_map(of_role).collect();
        endings.extend(status_due.filter(|due| *due <= now).map(|_| Ending::StatusList));
        self.warned_at = (!endings.is_empty()).then_some(now);
        endings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_whole_ones() {
        assert_eq!((days(30 * DAY, 0), days(30 * DAY - 1, 0), days(0, 0), days(0, 1)), (30, 29, 0, -1));
    }

    #[test]
    fn what_ends_is_said_from_thirty_days_before_on_and_once_a_day() {
        let (mut watch, ends) = (Watch::default(), [(Role::Issuer, 100 * DAY), (Role::Management, 200 * DAY)]);
        assert_eq!(watch.endings(70 * DAY, &ends, Some(200 * DAY)), []);
        let soon = [Ending::Certificate(Role::Issuer, 29)];
        assert_eq!(watch.endings(70 * DAY + 1, &ends, None), soon);
        assert_eq!(watch.endings(70 * DAY + 2, &ends, None), []);
        assert_eq!(watch.endings(71 * DAY, &ends, None), []);
        assert_eq!(watch.endings(71 * DAY + 1, &ends, None), [Ending::Certificate(Role::Issuer, 28)]);
        // Renewed and published, there is nothing to say.
        assert_eq!(watch.endings(80 * DAY, &[(Role::Issuer, 500 * DAY)], Some(80 * DAY + 1)), []);
        assert_eq!(watch.endings(100 * DAY, &ends, Some(90 * DAY)), [Ending::Ended(Role::Issuer), Ending::StatusList]);
        // A clock that is put back is heard.
        assert_eq!(watch.endings(99 * DAY, &ends, None), [Ending::Certificate(Role::Issuer, 1)]);
    }
}
