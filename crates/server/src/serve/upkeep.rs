//! What a running service does by itself: takes over what was renewed on disk, drops what is old, warns of what ends.

use crate::ends::Watch;
use crate::http::tls::Tls;
use crate::service::Service;
use crate::store::ANSWER_LIFETIME;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Digest};

/// How often renewed certificates are looked for and old answers dropped.
const UPKEEP: Duration = Duration::from_secs(60);
/// How often files for TLS and the folder of certificates are looked at, without reading them.
const LOOK: Duration = Duration::from_secs(2);
/// How often what was counted is written: so much of it a killed process loses.
const COUNTS: Duration = Duration::from_secs(5);
/// How often certificates that end soon are spoken of.
const WARN: Duration = Duration::from_secs(24 * 60 * 60);

/// How many devices are looked at each time whether they ever got anything, and behind which the first ones stand.
const LOOKED_AT: usize = 256;
const FIRST: DeviceId = DeviceId::new([0; 16]);

pub(super) struct Upkeep {
    pub(super) service: Arc<Service>,
    pub(super) tls: Option<Arc<Tls>>,
    /// Seconds after which a device is forgotten that never got anything.
    pub(super) forget_after: Option<i64>,
}

impl Upkeep {
    /// Goes on until it is dropped. Each time that `again` is notified, everything is read again.
    pub(super) async fn run(self, again: Arc<Notify>) {
        let (mut looked_at, mut page) = (FIRST, None);
        let [mut minutes, mut looks, mut counts, mut days] = [UPKEEP, LOOK, COUNTS, WARN].map(|period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        let (mut ends, mut seen) = (Watch::default(), self.service.certificates_changed());
        loop {
            tokio::select! {
                _ = minutes.tick() => {
                    self.read_keys().await;
                    self.drop_old().await;
                    page = self.drop_deliveries(page).await;
                    if let Some(lifetime) = self.forget_after {
                        looked_at = self.forget(looked_at, lifetime).await;
                    }
                    ends.look(&self.service);
                }
                _ = looks.tick() => {
                    self.with_tls(Tls::look).await;
                    self.read_shop(false);
                    // A folder whose time does not tell is read with the minutes.
                    let changed = self.service.certificates_changed();
                    if changed != seen {
                        seen = changed;
                        self.read_keys().await;
                    }
                }
                _ = counts.tick() => self.service.write_counts().await,
                _ = days.tick() => {
                    let now = self.service.clock.now();
                    self.with_tls(move |tls| tls.warn_of_end(now)).await;
                }
                () = again.notified() => {
                    tracing::info!("certificates, keys and the status list are read again");
                    self.with_tls(Tls::reload).await;
                    self.read_shop(true);
                    self.read_keys().await;
                }
            }
        }
    }

    /// Reads the shop's keys where it is time to, beside all else: they may be far away.
    fn read_shop(&self, anyway: bool) {
        if self.service.is_shop_due(anyway) {
            let service = Arc::clone(&self.service);
            tokio::spawn(async move { service.reload_shop().await });
        }
    }

    async fn with_tls(&self, work: impl FnOnce(&Tls) + Send + 'static) {
        let Some(tls) = self.tls.clone() else { return };
        let ends = tokio::task::spawn_blocking(move || {
            work(&tls);
            tls.not_after()
        });
        match ends.await {
            Ok(ends) => self.service.metrics.tls_ends(ends),
            Err(_) => tracing::error!("the files for TLS could not be looked at"),
        }
    }

    /// Takes over renewed certificates and a newer status list.
    async fn read_keys(&self) {
        let service = Arc::clone(&self.service);
        if tokio::task::spawn_blocking(move || service.reload_keyring()).await.is_err() {
            tracing::error!("the renewed certificates could not be read");
        }
        // What went wrong is in the log.
        let _ = self.service.reload_status().await;
    }

    /// Forgets devices that never got anything, of those behind one. Who does not both certify and issue cannot know which they
    /// are.
    async fn forget(&self, after: DeviceId, lifetime: i64) -> DeviceId {
        let service = &self.service;
        if ![Role::Individualization, Role::Issuer].iter().all(|role| service.roles.contains(role)) {
            return FIRST;
        }
        match service.store.forget_unused(after, service.clock.now().saturating_sub(lifetime), LOOKED_AT).await {
            Ok((last, forgotten)) => {
                if forgotten > 0 {
                    tracing::info!(forgotten, "devices that never got anything");
                }
                last.unwrap_or(FIRST)
            }
            Err(error) => {
                tracing::warn!(%error, "unused devices could not be forgotten");
                after
            }
        }
    }

    /// Drops deliveries of which nothing is left, and their pages, behind one.
    async fn drop_deliveries(&self, behind: Option<Digest>) -> Option<Digest> {
        let (service, now) = (&self.service, self.service.clock.now());
        match service.store.drop_deliveries(behind, now.saturating_sub(ANSWER_LIFETIME), now).await {
            Ok(last) => last,
            Err(error) => {
                tracing::warn!(%error, "dead deliveries could not be dropped");
                behind
            }
        }
    }

    /// Drops the bytes of old answers.
    async fn drop_old(&self) {
        let service = &self.service;
        if let Err(error) = service.store.drop_requests(service.clock.now()).await {
            tracing::warn!(%error, "old requests of admins could not be dropped");
        }
        if let Err(error) = service.store.drop_tally(service.clock.now()).await {
            tracing::warn!(%error, "old counts could not be dropped");
        }
        let before = service.clock.now().saturating_sub(ANSWER_LIFETIME);
        if let Err(error) = service.store.drop_answers(before).await {
            tracing::warn!(%error, "old answers could not be dropped");
        }
        if let Err(error) = service.store.drop_interactions(before).await {
            tracing::warn!(%error, "old interactions could not be dropped");
        }
    }
}
