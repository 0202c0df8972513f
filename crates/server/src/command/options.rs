//! Where options may be said beside the command line: in the environment and in a TOML file. Which there are is read from the
//! command line itself, so that none is known to one of the three and unknown to another.

mod file;
mod print;

use super::Data;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args as _, Command, Error};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

/// The command whose options these are. Others share a few.
const SERVE: &str = "serve";
const CONFIG: &str = "config";
/// Options that ask for something else than serving.
const NO_SETTINGS: [&str; 1] = ["print-config"];
const PREFIX: &str = "WMLICENSED_";
/// How like a known word must be for it to be meant, from 0 to 1.
const ALIKE: f64 = 0.7;
/// The same for variables, all of which begin alike; and others use names that begin with this program's.
const ALIKE_VARIABLE: f64 = 0.95;

const WHERE: &str = "Every option of `serve`, and of these what other commands share, may also stand in the environment and in a \
TOML file: --public-url is WMLICENSED_PUBLIC_URL there and public-url = \"…\" here. The file is named by --config or \
WMLICENSED_CONFIG. The command line comes first, then the environment, then the file, then the default; `wmlicensed serve \
--print-config` shows what holds and where it was said. Paths in the file begin at its folder.";

/// The command line with what every command takes: the name of the file.
pub(super) fn with_config(command: Command) -> Command {
    let file = Arg::new(CONFIG).long(CONFIG).value_name("FILE").global(true).display_order(900);
    let file = file.value_parser(clap::value_parser!(PathBuf));
    let file = file.help("TOML file with options of `serve`; those that commands share hold for every command");
    command.arg(file).after_long_help(WHERE).mut_subcommand(SERVE, |serve| serve.after_long_help(WHERE))
}

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    Variable(String),
    File { path: PathBuf, line: usize },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
        }
    }
}

/// Values by option, each with where it was said.
type Said = BTreeMap<String, (OsString, Origin)>;

/// The variable of an option.
fn variable(option: &str) -> String {
    format!("{PREFIX}{}", option.to_uppercase().replace('-', "_"))
}

/// The options that may be said elsewhere.
fn rows(serve: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let named = serve.get_arguments().filter_map(|argument| Some((argument.get_long()?, argument)));
    named.filter(|(name, argument)| !argument.is_global_set() && !NO_SETTINGS.contains(name))
}

fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>, alike: f64) -> Option<&'k str> {
    let word = word.to_lowercase();
    let known = known.map(|known| (strsim::jaro_winkler(&known.to_lowercase(), &word), known));
    let known = known.filter(|(likeness, _)| *likeness >= alike);
    known.max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, known)| known)
}

fn wrong(text: impl fmt::Display) -> Error {
    Error::raw(ErrorKind::ValueValidation, format!("{}\n", super::plain(&text.to_string())))
}

/// A command line with what was said elsewhere.
pub(super) struct Parsed {
    pub(super) matches: ArgMatches,
    command: Command,
    said: Said,
    misspelt: Vec<(String, String)>,
}

type Environment<'e> = &'e dyn Fn() -> Vec<(OsString, OsString)>;

impl Parsed {
    /// Parses words, of which the first is the program's name.
    pub(super) fn of(command: &Command, words: Vec<OsString>, environment: Environment<'_>) -> Result<Self, Error> {
        let read = Self::elsewhere(command, &words, environment);
        let (said, misspelt) = match read {
            Ok(read) => read,
            // Help is given to those as well whose file is wrong.
            Err(error) => {
                let plain = command.clone().try_get_matches_from(words);
                let asked = |error: &Error| matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
                return Err(plain.err().filter(asked).unwrap_or(error));
            }
        };
        let filled = filled(command.clone(), &said);
        let matches = filled.clone().try_get_matches_from(words)?;
        Ok(Self { matches, command: filled, said, misspelt })
    }

    /// What the environment and the file say, all of it checked.
    fn elsewhere(
        command: &Command,
        words: &[OsString],
        environment: Environment<'_>,
    ) -> Result<(Said, Vec<(String, String)>), Error> {
        let Some(serve) = command.find_subcommand(SERVE) else { return Ok(Default::default()) };
        // A variable that is empty is as good as none: files of variables often have such.
        let variables: BTreeMap<OsString, OsString> =
            environment().into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let path = named_file(words).or_else(|| variables.get(OsStr::new(&variable(CONFIG))).cloned());
        let mut said = match &path {
            Some(path) => file::read(Path::new(path), serve)?,
            None => BTreeMap::new(),
        };
        for (name, _) in rows(serve) {
            let variable = variable(name);
            if let Some(value) = variables.get(OsStr::new(&variable)) {
                said.insert(name.to_owned(), (value.clone(), Origin::Variable(variable)));
            }
        }
        for (name, (value, origin)) in &said {
            check(serve, name, value, origin)?;
        }
        Ok((said, misspelt(serve, variables.keys())))
    }

    /// Variables that are none, with those that are probably meant.
    pub(super) fn misspelt(&self) -> &[(String, String)] {
        &self.misspelt
    }

    /// What holds for `serve`, as a file that says the same.
    pub(super) fn told(&self) -> Option<String> {
        let serve = self.command.find_subcommand(SERVE)?;
        Some(print::told(serve, self.matches.subcommand_matches(SERVE)?, &self.said))
    }
}

/// The file that the words name. What follows `--` are no options, and no value of another option begins with a hyphen.
fn named_file(words: &[OsString]) -> Option<OsString> {
    let mut words = words.iter().skip(1).take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        if word == "--config" {
            return words.next().cloned();
        }
        // Bytes of another encoding may stand in the path only.
        use std::os::unix::ffi::OsStrExt as _;
        if let Some(path) = word.as_bytes().strip_prefix(b"--config=") {
            return Some(OsStr::from_bytes(path).to_owned());
        }
    }
    None
}

fn misspelt<'v>(serve: &Command, variables: impl Iterator<Item = &'v OsString>) -> Vec<(String, String)> {
    let mut known: Vec<String> = rows(serve).map(|(name, _)| variable(name)).collect();
    known.push(variable(CONFIG));
    let ours = variables.filter_map(|name| name.to_str()).filter(|name| name.starts_with(PREFIX));
    let others = ours.filter(|name| !known.iter().any(|known| known == name));
    let meant = others.filter_map(|name| {
        Some((name.to_owned(), nearest(name, known.iter().map(String::as_str), ALIKE_VARIABLE)?.to_owned()))
    });
    meant.collect()
}

/// Has the command line itself judge a value, so that a refusal names where it was said.
fn check(serve: &Command, name: &str, value: &OsStr, origin: &Origin) -> Result<(), Error> {
    let takes_value = serve.get_arguments().any(|arg| arg.get_long() == Some(name) && arg.get_action().takes_values());
    if !takes_value {
        let known = value == "true" || value == "false";
        return if known { Ok(()) } else { Err(wrong(format!("{origin}: `{name}` is true or false"))) };
    }
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    let lone = serve.clone().mut_args(|argument| argument.required(false));
    match lone.try_get_matches_from([OsString::from(SERVE), word]) {
        Err(error) if error.kind() != ErrorKind::MissingRequiredArgument => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            let shown = line.replace(&*value.to_string_lossy(), &print::masked(&value.to_string_lossy()));
            Err(wrong(format!("{origin}: {shown}")))
        }
        _ => Ok(()),
    }
}

/// The command line with what was said elsewhere as its defaults: `serve` takes all of it, others what they share.
fn filled(command: Command, said: &Said) -> Command {
    let shared = Data::augment_args(Command::new(CONFIG));
    let shared: Vec<&str> = shared.get_arguments().filter_map(Arg::get_long).collect();
    fill(command, said, &shared)
}

fn fill(command: Command, said: &Said, shared: &[&str]) -> Command {
    let is_serve = command.get_name() == SERVE;
    let takes = |name: &&str| is_serve && !NO_SETTINGS.contains(name) || shared.contains(name);
    let command = command.mut_args(|argument| {
        let value = argument.get_long().filter(takes).and_then(|name| said.get(name));
        match value {
            Some((value, _)) => argument.required(false).default_value(clap::builder::OsStr::from(value.clone())),
            None => argument,
        }
    });
    let below: Vec<String> = command.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    below.iter().fold(command, |command, name| command.mut_subcommand(name, |below| fill(below, said, shared)))
}

/// True if an option takes a list.
fn is_list(argument: &Arg) -> bool {
    argument.get_value_delimiter().is_some() || matches!(argument.get_action(), ArgAction::Append)
}
