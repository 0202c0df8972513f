//! `wmlicense individualize`.

use crate::failure::Failure;
use crate::missing::{self, Need};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings};
use crate::text::utc;
use crate::times;
use crate::watch;
use serde_json::json;
use std::sync::Arc;
use wmlicense_core::individualize::{Individualized, individualize};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceOptions,
    /// New keys for the device, even if its certificate is current. Licenses stay; a copy of the old keys ends.
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let mut settings = Settings::of(common, &arguments.service)?;
    missing::complete(common, &mut settings, &[Need::Service, Need::Authority])?;
    let client_settings = settings.of_client()?;
    let client = open::open_or_create(&settings)?;
    let (working, force) = (Arc::clone(&client), arguments.force);
    let (done, _) = watch::run(common.json, move |context| individualize(&working, &client_settings, force, context))?;
    let current = done == Individualized::AlreadyCurrent;
    let certificate = client.certificate()?;
    let said = if current { "the device is individualized already" } else { "the device is individualized" };
    let mut text = format!("{said}\n");
    if let Some(certificate) = &certificate {
        text.push_str(&format!("device ID: {}\n", certificate.device_id.to_hex()));
        text.push_str(&format!("certificate: until {}, renewed by itself\n", times::local(certificate.not_after)));
    }
    Ok(Output::done(
        text,
        json!({
            "individualized": true,
            "alreadyCurrent": current,
            "deviceId": certificate.as_ref().map(|certificate| certificate.device_id.to_hex()),
            "securityVersion": certificate.as_ref().map(|certificate| certificate.security_version.clone()),
            "notAfter": certificate.as_ref().map(|certificate| utc(certificate.not_after)),
            "store": settings.store().display().to_string(),
        }),
    ))
}
