//! How the log is written to standard error: lines for people or JSON for programs. What is said stands where it happens.

use tracing_subscriber::EnvFilter;

/// Form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Checks what names the levels: `info`, or `warn,wmlicense_server=debug`.
pub(crate) fn levels(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| {
        format!("{error}; error, warn, info, debug or trace is expected, or a list such as warn,wmlicense_server=debug")
    })
}

/// Starts the log of this process.
pub(crate) fn start(levels: &str, format: Format) {
    let log =
        tracing_subscriber::fmt().with_env_filter(EnvFilter::new(levels)).with_writer(std::io::stderr).with_ansi(false);
    let started = match format {
        Format::Text => log.try_init(),
        Format::Json => log.json().flatten_event(true).with_span_list(false).try_init(),
    };
    // Only fails when a subscriber is set already, which is then the one to use.
    let _ = started;
    // A line of the log as everything else, so that programs that read it understand that too.
    std::panic::set_hook(Box::new(|panic| {
        tracing::error!(panic = panic.to_string().replace('\n', " "), "a thread panicked");
    }));
}
