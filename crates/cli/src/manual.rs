//! `wmlicense completions` and `wmlicense man`: what shells and `man` know of the program, made of its own command line.

use crate::exit::{self, Code};
use crate::failure::{Failure, OTHER_FOLDER};
use crate::output::Output;
use crate::settings::{KEYS, VARIABLES};
use clap::{Command, ValueHint};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(clap::Args)]
pub(crate) struct Pages {
    /// The folder that takes a page for each command; made if it is not there. Without it wmlicense(1) is printed.
    #[arg(value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

const NAME: &str = "wmlicense";

pub(crate) fn completions(arguments: &Completions, mut command: Command) -> Output {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, NAME, &mut script);
    let text = String::from_utf8_lossy(&script).into_owned();
    Output::done(text.clone(), json!({ "shell": arguments.shell.to_string(), "script": text }))
}

pub(crate) fn pages(arguments: &Pages, command: Command) -> Result<Output, Failure> {
    // Of the command that prints help there is nothing to say that `--help` does not.
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(folder) = &arguments.folder else {
        let page = String::from_utf8_lossy(&page(&command, &command).unwrap_or_default()).into_owned();
        return Ok(Output::done(page.clone(), json!({ "page": page })));
    };
    let fault = |path: &Path, error: &io::Error| Failure::of_file(path, error, OTHER_FOLDER);
    std::fs::create_dir_all(folder).map_err(|error| fault(folder, &error))?;
    let mut written = Vec::new();
    let subcommands = command.get_subcommands().filter(|command| !command.is_hide_set());
    for each in std::iter::once(&command).chain(subcommands) {
        let path = folder.join(format!("{}.1", name(each)));
        page(&command, each).and_then(|page| std::fs::write(&path, page)).map_err(|error| fault(&path, &error))?;
        written.push(path.display().to_string());
    }
    let text = written.iter().map(|path| format!("{path}\n")).collect();
    Ok(Output::done(text, json!({ "pages": written })))
}

/// `wmlicense-restore` for a command of this program.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// The page of one command.
fn page(program: &Command, command: &Command) -> io::Result<Vec<u8>> {
    let date = String::new();
    let man = Man::new(command.clone()).manual("wmlicense").date(date).source(version(program));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    own_sections(program, command).to_writer(&mut page)?;
    Ok(page)
}

fn version(program: &Command) -> String {
    format!("{NAME} {}", program.get_version().unwrap_or_default())
}

/// What the command line's own words do not say.
fn own_sections(program: &Command, command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    let signal = (Code::Signal(0), "ended by another signal: its number is added");
    for (code, meaning) in exit::TABLE.iter().copied().chain([signal]) {
        entry(&mut roff, &code.number().to_string(), meaning);
    }
    if [program.get_name(), "play"].contains(&command.get_name()) {
        entry(&mut roff, exit::PLAYER.0, exit::PLAYER.1);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    for (name, meaning) in VARIABLES {
        entry(&mut roff, name, meaning);
    }
    let others = [
        ("https_proxy, no_proxy", "the proxy for the service, and the hosts that are asked without one"),
        ("TZ", "the zone in which times are shown; `--json` has them as RFC 3339 in UTC"),
    ];
    for (name, meaning) in others {
        entry(&mut roff, name, meaning);
    }
    roff.control("SH", ["FILES"]);
    let file = "~/.config/wmlicense/config.toml ($XDG_CONFIG_HOME)";
    entry(
        &mut roff,
        file,
        "the configuration file, in TOML. An option comes before the environment, that before the file. Keys:",
    );
    roff.control("RS", []);
    for (key, meaning) in KEYS {
        entry(&mut roff, key, meaning);
    }
    roff.control("RE", []);
    entry(&mut roff, "~/.local/share/wmlicense/store ($XDG_DATA_HOME)", "the license store, where none is named");
    roff.control("SH", ["SEE ALSO"]);
    let others = program.get_subcommands().filter(|other| !other.is_hide_set());
    let pages = std::iter::once(program).chain(others).map(name).filter(|other| *other != name(command));
    let pages: Vec<String> = pages.map(|page| format!("{page}(1)")).chain(["wmlicensed(1)".to_owned()]).collect();
    roff.text([roman(pages.join(", "))]);
    roff
}

fn entry(roff: &mut Roff, term: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(term)]);
    roff.text([roman(meaning)]);
}
