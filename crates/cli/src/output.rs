//! The two forms of every result: text for people, one JSON object for programs.

use crate::exit::Code;
use crate::failure::Failure;
use crate::text::with;
use serde_json::{Value, json};
use std::io;

/// What a command found or did.
pub(crate) struct Output {
    /// Lines for people; none where all was told on the way.
    pub(crate) text: String,
    /// The same for programs; nothing then.
    pub(crate) json: Value,
    /// With what the program ends.
    pub(crate) code: Code,
}

impl Output {
    /// All was done.
    pub(crate) fn done(text: String, json: Value) -> Self {
        Self { text, json, code: Code::Done }
    }

    /// The same with more to tell.
    pub(crate) fn add(&mut self, lines: &str, fields: Value) {
        self.text.push_str(lines);
        self.json = with(self.json.take(), fields);
    }
}

/// Prints a result: on standard output what was done, on standard error what failed.
pub(crate) fn print(result: &Result<Output, Failure>, as_json: bool) -> io::Result<()> {
    match (result, as_json) {
        (Ok(output), _) if output.text.is_empty() && output.json.is_null() => Ok(()),
        (Ok(output), false) => write(&mut io::stdout().lock(), &output.text),
        (Ok(output), true) => write(&mut io::stdout().lock(), &format!("{:#}", output.json)),
        (Err(failure), false) => write(&mut io::stderr().lock(), &failure.to_string()),
        (Err(failure), true) => {
            let object = json!({ "error": failure.sentence, "remedy": failure.remedy });
            let object = with(object, failure.fields.clone());
            write(&mut io::stdout().lock(), &format!("{object:#}"))
        }
    }
}

fn write(out: &mut dyn io::Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", text.trim_end())?;
    out.flush()
}
