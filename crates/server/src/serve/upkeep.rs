//! What a running service does by itself: takes over what was renewed on disk, drops what is old, warns of what ends.

use crate::ends::Watch;
use crate::http::tls::Tls;
use crate::service::Service;
use crate::store::ANSWER_LIFETIME;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

/// How often renewed certificates are looked for and old answers dropped.
const UPKEEP: Duration = Duration::from_secs(60);
/// How often files for TLS and the folder of certificates are looked at, without reading them.
const LOOK: Duration = Duration::from_secs(2);
/// How often certificates that end soon are spoken of.
const WARN: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct Upkeep {
    pub(super) service: Arc<Service>,
    pub(super) tls: Option<Arc<Tls>>,
}

impl Upkeep {
    /// Goes on until it is dropped. Each time that `again` is notified, everything is read again.
    pub(super) async fn run(self, again: Arc<Notify>) {
        let [mut minutes, mut looks, mut days] = [UPKEEP, LOOK, WARN].map(|period| {
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
                    ends.look(&self.service);
                }
                _ = looks.tick() => {
                    self.with_tls(Tls::look).await;
                    // A folder whose time does not tell is read with the minutes.
                    let changed = self.service.certificates_changed();
                    if changed != seen {
                        seen = changed;
                        self.read_keys().await;
                    }
                }
                _ = days.tick() => {
                    let now = self.service.clock.now();
                    self.with_tls(move |tls| tls.warn_of_end(now)).await;
                }
                () = again.notified() => {
                    tracing::info!("certificates, keys and the status list are read again");
                    self.with_tls(Tls::reload).await;
                    self.read_keys().await;
                }
            }
        }
    }

    async fn with_tls(&self, work: impl FnOnce(&Tls) + Send + 'static) {
        let Some(tls) = self.tls.clone() else { return };
        if tokio::task::spawn_blocking(move || work(&tls)).await.is_err() {
            tracing::error!("the files for TLS could not be looked at");
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

    /// Drops the bytes of old answers.
    async fn drop_old(&self) {
        let service = &self.service;
        let before = service.clock.now().saturating_sub(ANSWER_LIFETIME);
        if let Err(error) = service.store.drop_answers(before).await {
            tracing::warn!(%error, "old answers could not be dropped");
        }
        if let Err(error) = service.store.drop_interactions(before).await {
            tracing::warn!(%error, "old interactions could not be dropped");
        }
    }
}
