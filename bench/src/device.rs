//! A device in a process of its own, so that its time and memory are its own: it does one job and prints what it took.

use crate::meter::processor_time_of;
use crate::watch::{Watch, peak_kb};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::restore;
use wmlicense_core::transport::AccountToken;
use wmlicense_wire::id::Digest;

/// What the device is to do.
pub(crate) enum Job<'a> {
    /// Be certified and no more.
    Individualize,
    /// Be delivered everything that its account may have.
    Predeliver,
    /// Back up to this place.
    BackUp(&'a Path),
    /// Restore from this place.
    Restore(&'a Path),
}

/// Whose device it is: a store below an authority, and the service where it has one.
pub(crate) struct Owner<'a> {
    pub(crate) authority: &'a str,
    /// URL and account token.
    pub(crate) service: Option<(&'a str, &'a str)>,
}

/// What a job took.
pub(crate) struct Done {
    pub(crate) time: Duration,
    /// Licenses delivered, backed up or restored.
    pub(crate) licenses: u64,
    /// Memory of its own at its peak, in MB: pages of mapped files, which the kernel takes back at will, are not.
    pub(crate) own_mb: f64,
    /// All memory at its peak, in MB.
    pub(crate) all_mb: f64,
    /// Processor time of the job, in steps of 10 ms.
    pub(crate) processor: Duration,
    /// Own memory at its peak of the process that was watched beside it.
    pub(crate) beside_mb: f64,
}

impl Job<'_> {
    /// Has the job done by a process, and watches another one meanwhile.
    pub(crate) fn run(&self, owner: &Owner<'_>, store: &Path, beside: Option<u32>) -> Done {
        let (name, place) = match self {
            Self::Individualize => ("individualize", store),
            Self::Predeliver => ("predeliver", store),
            Self::BackUp(place) => ("backup", *place),
            Self::Restore(place) => ("restore", *place),
        };
        let (url, token) = owner.service.unwrap_or_default();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--job", name, owner.authority, url, token]).arg(store).arg(place);
        let device = command.stdout(Stdio::piped()).spawn().unwrap();
        let (watch, beside) = (Watch::over(device.id()), beside.map(Watch::over));
        let output = device.wait_with_output().unwrap();
        let [own_mb, beside_mb] = [Some(watch), beside].map(|watch| watch.map_or(0.0, |watch| mb(watch.peak_kb())));
        let text = String::from_utf8(output.stdout).unwrap();
        let words: Vec<&str> = text.split_whitespace().collect();
        let [seconds, licenses, peak, processor] = words[..] else { panic!("the device said {text:?}") };
        let [time, processor] = [seconds, processor].map(|text| Duration::from_secs_f64(text.parse().unwrap()));
        let (licenses, all_mb) = (licenses.parse().unwrap(), mb(peak.parse().unwrap()));
        Done { time, licenses, own_mb, all_mb, processor, beside_mb }
    }
}

fn mb(kb: u64) -> f64 {
    kb as f64 / 1024.0
}

/// The child: does its job and prints seconds, licenses, its peak memory in kB, and seconds of the processor.
pub(crate) fn work_here(job: &[String]) {
    let [name, authority, url, token, store, place] = job else { panic!("a job has six words") };
    let authorities = vec![Digest::from_base64(authority).unwrap()];
    let open = OpenSettings { store_path: store.into(), authorities };
    let client = Client::open(&open, Arc::new(SystemClock)).unwrap();
    let settings = Settings {
        service_url: Some(url.clone()).filter(|url| !url.is_empty()),
        account_token: Arc::new(AccountToken::new(token.clone())),
        ..Settings::default()
    };
    let context = || Context::inline(None, |_| Flow::Continue);
    if !url.is_empty() {
        individualize(&client, &settings, false, &context()).unwrap();
    }
    let (start, before) = (Instant::now(), processor_time_of("self", 2));
    let licenses = match name.as_str() {
        "individualize" => 0,
        "predeliver" => acquire(&client, &settings, &LicenseWish::default(), &context()).unwrap().stored,
        "backup" => back_up(&client, Path::new(place), true, &context()).unwrap().backed_up,
        "restore" => restore(&client, &settings, Path::new(place), false, &context()).unwrap().restored,
        _ => panic!("no job is called {name}"),
    };
    let processor = processor_time_of("self", 2) - before;
    println!("{} {licenses} {} {}", start.elapsed().as_secs_f64(), peak_kb("self"), processor.as_secs_f64());
}
