//! Which store, service, authority and account a command uses, and where each of them was said: an option comes before the
//! environment, that before the configuration file, that before the default. The one place that decides it for all commands.

mod file;
#[cfg(test)]
mod tests;
mod token;

use crate::exit::Code;
use crate::failure::Failure;
use crate::text::plain;
use clap::ValueHint;
use file::File;
pub(crate) use file::KEYS;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
pub(crate) use token::TokenPlace;
use wmlicense_core::client;
use wmlicense_core::transport::{AccountToken, NetworkSettings, ProxyChoice, ProxyEnvironment};
use wmlicense_wire::id::Digest;
use wmlicense_wire::url::Url;

const CONFIG: &str = "WMLICENSE_CONFIG";
const STORE: &str = "WMLICENSE_STORE";
const SERVICE: &str = "WMLICENSE_SERVICE";
const AUTHORITY: &str = "WMLICENSE_AUTHORITY";
const TOKEN: &str = "WMLICENSE_TOKEN";
const TOKEN_FILE: &str = "WMLICENSE_TOKEN_FILE";
/// A program that is started for the user, and is none that should know of the account.
pub(crate) fn stranger(program: impl AsRef<std::ffi::OsStr>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command.env_remove(TOKEN).env_remove(TOKEN_FILE);
    command
}

/// The variables that the program reads, each with what it names; for the manual.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    (CONFIG, "the configuration file, as --config does"),
    (STORE, "the folder of the license store, as --store does"),
    (SERVICE, "URL of the license service, as --service does"),
    (AUTHORITY, "the authority to trust, as --authority does; several are separated by semicolons"),
    (TOKEN, "the account token itself"),
    (TOKEN_FILE, "the file that holds it, as --token-file does"),
];

/// Folder of configuration and data below those of the user.
const FOLDER: &str = "wmlicense";

/// Options of every command.
#[derive(clap::Args)]
pub(crate) struct Common {
    /// Print one JSON object in place of text.
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    /// Say on standard error where each setting comes from.
    #[arg(long, short, global = true, display_order = 901)]
    pub(crate) verbose: bool,
    /// The configuration file.
    ///
    /// Without it $WMLICENSE_CONFIG, else wmlicense/config.toml in $XDG_CONFIG_HOME or ~/.config.
    #[arg(long, global = true, display_order = 902, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
}

/// Options of commands that look into a store.
#[derive(clap::Args, Default)]
pub(crate) struct StoreOptions {
    /// The store's folder.
    ///
    /// Without it $WMLICENSE_STORE, else `store` of the configuration file, else wmlicense/store in $XDG_DATA_HOME or
    /// ~/.local/share.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) store: Option<PathBuf>,
}

/// Options of commands that ask a service.
#[derive(clap::Args, Default)]
pub(crate) struct ServiceOptions {
    #[command(flatten)]
    pub(crate) store: StoreOptions,
    /// URL of the license service.
    ///
    /// Without it $WMLICENSE_SERVICE, else `service` of the configuration file.
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url, value_parser = service)]
    pub(crate) service: Option<String>,
    /// SHA-256 of the authority to trust, in base64, as `wmlicensed init` prints it; may stand more than once.
    ///
    /// Without it $WMLICENSE_AUTHORITY, else `authority` of the configuration file.
    #[arg(long, value_name = "BASE64", value_hint = ValueHint::Other, value_parser = authority)]
    pub(crate) authority: Vec<Digest>,
    /// File with the account token in its first line; `-` reads it from standard input.
    ///
    /// Without it $WMLICENSE_TOKEN, $WMLICENSE_TOKEN_FILE, else `token-file` or `token` of the configuration file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) token_file: Option<PathBuf>,
}

pub(crate) fn authority(text: &str) -> Result<Digest, String> {
    Digest::from_base64(text).map_err(|error| error.to_string())
}

pub(crate) fn service(text: &str) -> Result<String, String> {
    Url::public(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

/// Where a setting was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    Option(&'static str),
    Variable(&'static str),
    File { path: PathBuf, line: usize },
    Prompt,
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(name) | Self::Variable(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Prompt => f.write_str("just typed"),
            Self::Default => f.write_str("the default"),
        }
    }
}

/// A value with where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Setting<T> {
    fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }
}

/// A variable of the environment; one that is empty is as good as none.
type Environment<'e> = &'e dyn Fn(&str) -> Option<OsString>;

fn environment(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// What a command works with.
pub(crate) struct Settings {
    /// The configuration file that counts, whether it is there or not.
    pub(crate) file: Option<PathBuf>,
    /// True if it is there.
    pub(crate) has_file: bool,
    pub(crate) store: Setting<PathBuf>,
    pub(crate) service: Option<Setting<String>>,
    pub(crate) authorities: Option<Setting<Vec<Digest>>>,
    pub(crate) token: Option<Setting<TokenPlace>>,
}

impl Settings {
    /// For a command that only looks into a store.
    pub(crate) fn of_store(common: &Common, options: &StoreOptions) -> Result<Self, Failure> {
        let store = StoreOptions { store: options.store.clone() };
        Self::of(common, &ServiceOptions { store, ..ServiceOptions::default() })
    }

    /// For a command that asks a service.
    pub(crate) fn of(common: &Common, options: &ServiceOptions) -> Result<Self, Failure> {
        let settings = Self::resolve(common.config.as_deref(), options, &environment)?;
        if common.verbose {
            eprint!("{}", settings.lines());
        }
        Ok(settings)
    }

    fn resolve(config: Option<&Path>, options: &ServiceOptions, environment: Environment<'_>) -> Result<Self, Failure> {
        let said = config.map(Path::to_path_buf).or_else(|| environment(CONFIG).map(PathBuf::from));
        let path = said.clone().or_else(|| Some(home(environment, "XDG_CONFIG_HOME", ".config")?.join("config.toml")));
        let found = path.as_deref().map(|path| File::read(path, said.is_some(), environment)).transpose()?.flatten();
        let has_file = found.is_some();
        let File { store, service, authorities, token } = found.unwrap_or_default();
        let of_environment = authorities_of(environment)?;
        Ok(Self {
            file: path,
            has_file,
            store: store_of(options, environment, store)?,
            service: match &options.service {
                Some(url) => Some(Setting::new(url.clone(), Origin::Option("--service"))),
                None => service_of(environment)?.or(service),
            },
            authorities: match options.authority.as_slice() {
                [] => of_environment.or(authorities),
                some => Some(Setting::new(some.to_vec(), Origin::Option("--authority"))),
            },
            token: match &options.token_file {
                Some(path) => Some(Setting::new(TokenPlace::of_path(path), Origin::Option("--token-file"))),
                None => token_of(environment)?.or(token),
            },
        })
    }

    /// The folder of the store.
    pub(crate) fn store(&self) -> &Path {
        &self.store.value
    }

    pub(crate) fn authorities(&self) -> Vec<Digest> {
        self.authorities.as_ref().map(|setting| setting.value.clone()).unwrap_or_default()
    }

    /// For the core: reads the token, from where it is.
    pub(crate) fn of_client(&self) -> Result<client::Settings, Failure> {
        let token = self.token.as_ref().map(|setting| setting.value.read()).transpose()?;
        let account_token: Arc<AccountToken> = Arc::new(token.unwrap_or_default());
        let proxy = ProxyChoice::Environment(Arc::new(ProxyEnvironment::read()));
        let network = NetworkSettings { proxy, ..NetworkSettings::default() };
        let service_url = self.service.as_ref().map(|setting| setting.value.clone());
        Ok(client::Settings { service_url, account_token, network, ..client::Settings::default() })
    }

    /// What is set and where it was said, for people.
    pub(crate) fn lines(&self) -> String {
        let file = self.file.as_deref().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
        let there = if self.has_file { "" } else { " (not there)" };
        let mut text = format!("configuration file: {}{there}\n", plain(&file));
        let mut line = |name: &str, value: Option<(String, &Origin)>| {
            let said = value.map(|(value, origin)| format!("{} ({})", plain(&value), plain(&origin.to_string())));
            text.push_str(&format!("{name}: {}\n", said.unwrap_or_else(|| "not set".to_owned())));
        };
        line("store", Some((self.store.value.display().to_string(), &self.store.origin)));
        line("service", self.service.as_ref().map(|setting| (setting.value.clone(), &setting.origin)));
        let names = |all: &[Digest]| all.iter().map(|one| one.to_base64()).collect::<Vec<_>>().join(", ");
        line("authority", self.authorities.as_ref().map(|setting| (names(&setting.value), &setting.origin)));
        line("token", self.token.as_ref().map(|setting| (setting.value.to_string(), &setting.origin)));
        text
    }

    /// The same for programs.
    pub(crate) fn object(&self) -> Value {
        let of = |value: Value, origin: &Origin| json!({ "value": value, "origin": origin.to_string() });
        let names = |all: &[Digest]| all.iter().map(|one| one.to_base64()).collect::<Vec<_>>();
        json!({
            "file": self.file.as_deref().map(|path| path.display().to_string()),
            "fileExists": self.has_file,
            "store": of(json!(self.store.value.display().to_string()), &self.store.origin),
            "service": self.service.as_ref().map(|setting| of(json!(setting.value), &setting.origin)),
            "authority": self.authorities.as_ref().map(|setting| of(json!(names(&setting.value)), &setting.origin)),
            "token": self.token.as_ref().map(|setting| json!({ "set": true, "origin": setting.origin.to_string() })),
        })
    }
}

/// The user's folder for this program below `variable`, else below `otherwise` in the home. What is not absolute does not count,
/// as the XDG base directory specification says.
fn home(environment: Environment<'_>, variable: &str, otherwise: &str) -> Option<PathBuf> {
    let absolute = |name| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute(variable).or_else(|| Some(absolute("HOME")?.join(otherwise)));
    base.map(|base| base.join(FOLDER))
}

fn store_of(
    options: &ServiceOptions,
    environment: Environment<'_>,
    of_file: Option<Setting<PathBuf>>,
) -> Result<Setting<PathBuf>, Failure> {
    if let Some(path) = &options.store.store {
        return Ok(Setting::new(path.clone(), Origin::Option("--store")));
    }
    let said = environment(STORE).map(|path| Setting::new(PathBuf::from(path), Origin::Variable(STORE)));
    let default = || {
        let folder = home(environment, "XDG_DATA_HOME", ".local/share")?;
        Some(Setting::new(folder.join("store"), Origin::Default))
    };
    said.or(of_file).or_else(default).ok_or_else(|| {
        Failure::new("no license store is named, and there is no home folder", "name the store's folder with --store")
            .with(Code::Usage)
    })
}

/// The text of a variable.
fn text_of(environment: Environment<'_>, name: &'static str) -> Result<Option<String>, Failure> {
    let no_text = |_| wrong_variable(name, "it is no UTF-8");
    environment(name).map(|value| value.into_string().map_err(no_text)).transpose()
}

fn wrong_variable(name: &'static str, reason: impl fmt::Display) -> Failure {
    Failure::new(format!("{name}: {reason}"), "correct the variable, or take it out of the environment")
        .with(Code::Usage)
}

fn service_of(environment: Environment<'_>) -> Result<Option<Setting<String>>, Failure> {
    let Some(text) = text_of(environment, SERVICE)? else { return Ok(None) };
    let url = service(&text).map_err(|reason| wrong_variable(SERVICE, reason))?;
    Ok(Some(Setting::new(url, Origin::Variable(SERVICE))))
}

fn authorities_of(environment: Environment<'_>) -> Result<Option<Setting<Vec<Digest>>>, Failure> {
    let Some(text) = text_of(environment, AUTHORITY)? else { return Ok(None) };
    let words = text.split(';').map(str::trim).filter(|word| !word.is_empty());
    let all: Vec<Digest> =
        words.map(authority).collect::<Result<_, _>>().map_err(|reason| wrong_variable(AUTHORITY, reason))?;
    Ok(Some(Setting::new(all, Origin::Variable(AUTHORITY))).filter(|setting| !setting.value.is_empty()))
}

fn token_of(environment: Environment<'_>) -> Result<Option<Setting<TokenPlace>>, Failure> {
    let file = environment(TOKEN_FILE).map(|path| TokenPlace::of_path(Path::new(&path)));
    match (environment(TOKEN), file) {
        (Some(_), Some(_)) => {
            let sentence = format!("{TOKEN} and {TOKEN_FILE} are both set");
            Err(Failure::new(sentence, "take one of them out of the environment").with(Code::Usage))
        }
        (Some(text), None) => {
            let text = text.into_string().map_err(|_| wrong_variable(TOKEN, "it is no UTF-8"))?;
            Ok(Some(Setting::new(TokenPlace::said(text), Origin::Variable(TOKEN))))
        }
        (None, file) => Ok(file.map(|file| Setting::new(file, Origin::Variable(TOKEN_FILE)))),
    }
}
