//! What a command lacks before it can ask a service: all of it in one message, or asked for where somebody sits at a terminal.

use crate::ask;
use crate::exit::Code;
use crate::failure::{CONSENT, Failure};
use crate::settings::{Common, Origin, Setting, Settings, TokenPlace, authority, service};
use serde_json::{Value, json};

/// Something that a command needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Service,
    Authority,
    /// The account token, without which nobody knows what to deliver.
    Token,
    /// The account token, if the licenses belong to an account.
    TokenIfAny,
    /// The user's consent to individualization.
    Consent,
}

/// How something is called, and the option, variable and key that give it.
struct Words {
    name: &'static str,
    text: &'static str,
    option: &'static str,
    variable: Option<&'static str>,
    key: Option<&'static str>,
}

impl Need {
    fn words(self) -> Words {
        let (name, text, option) = match self {
            Self::Service => ("service", "the URL of the service", "--service"),
            Self::Authority => ("authority", "the authority to trust", "--authority"),
            Self::Token => ("token", "the account token", "--token-file"),
            Self::TokenIfAny => ("token", "the account token if the licenses belong to an account", "--token-file"),
            Self::Consent => {
                ("individualize", "your consent that the service gives this device an ID", "--individualize")
            }
        };
        let (variable, key) = match self {
            Self::Service => (Some("WMLICENSE_SERVICE"), Some("service")),
            Self::Authority => (Some("WMLICENSE_AUTHORITY"), Some("authority")),
            Self::Token | Self::TokenIfAny => (Some("WMLICENSE_TOKEN"), Some("token-file")),
            // Somebody gives it once, and for one service.
            Self::Consent => (None, None),
        };
        Words { name, text, option, variable, key }
    }
}

/// Those of `needs` that `settings` do not have.
pub(crate) fn of(settings: &Settings, needs: &[Need]) -> Vec<Need> {
    let lacks = |need: &Need| match need {
        Need::Service => settings.service.is_none(),
        Need::Authority => settings.authorities.is_none(),
        Need::Token | Need::TokenIfAny => settings.token.is_none(),
        Need::Consent => true,
    };
    needs.iter().copied().filter(lacks).collect()
}

/// Sees to it that `settings` have what is needed: asks for it, or fails with all that is missing.
pub(crate) fn complete(common: &Common, settings: &mut Settings, needs: &[Need]) -> Result<(), Failure> {
    let missing = of(settings, needs);
    if missing.iter().all(|need| *need == Need::TokenIfAny) {
        return Ok(());
    }
    if ask::is_possible(common.json) {
        ask_for(settings, &missing).map(|_| ())
    } else {
        Err(failure(settings, &missing))
    }
}

/// Asks for what is missing; false if the user did not agree to something.
pub(crate) fn ask_for(settings: &mut Settings, missing: &[Need]) -> Result<bool, Failure> {
    for need in missing {
        match need {
            Need::Service => {
                let url = until(|| service(&ask::line("URL of the service")?).map_err(usage))?;
                settings.service = Some(Setting { value: url, origin: Origin::Prompt });
            }
            Need::Authority => {
                let one = until(|| authority(&ask::line("Authority to trust, in base64")?).map_err(usage))?;
                settings.authorities = Some(Setting { value: vec![one], origin: Origin::Prompt });
            }
            Need::Token | Need::TokenIfAny => {
                let typed = ask::secret("Account token, empty if there is none")?;
                if !typed.is_empty() {
                    let value = TokenPlace::said(typed.as_str().to_owned());
                    settings.token = Some(Setting { value, origin: Origin::Prompt });
                }
            }
            Need::Consent => {
                if !ask::yes("Do you agree that the service gives this device an ID?")? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

fn usage(reason: String) -> Failure {
    Failure::new(reason, "").with(Code::Usage)
}

/// How often a person may mistype.
const TRIES: usize = 3;

/// Asks again where the answer makes no sense.
fn until<T>(mut ask: impl FnMut() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut last = ask();
    for _ in 1..TRIES {
        match &last {
            Err(failure) if failure.code == Code::Usage => {
                eprintln!("{failure}");
                last = ask();
            }
            _ => break,
        }
    }
    last
}

/// All that is missing, in one message.
pub(crate) fn failure(settings: &Settings, missing: &[Need]) -> Failure {
    let words: Vec<Words> = missing.iter().map(|need| need.words()).collect();
    let texts: Vec<&str> = words.iter().map(|words| words.text).collect();
    let sentence = format!("missing for the service to be asked: {}", listed(&texts));
    if missing == [Need::Consent] {
        return Failure::new(sentence, CONSENT).telling(String::new(), told(&words));
    }
    let options: Vec<&str> = words.iter().map(|words| words.option).collect();
    let at_once = if options.len() > 1 { " in one go" } else { "" };
    let mut help = format!("give {}{at_once}", listed(&options));
    let variables: Vec<&str> = words.iter().filter_map(|words| words.variable).collect();
    let keys: Vec<&str> = words.iter().filter_map(|words| words.key).collect();
    if !variables.is_empty() {
        help.push_str(&format!(", or set {} in the environment", listed(&variables)));
    }
    if let Some(file) = settings.file.as_deref().filter(|_| !keys.is_empty()) {
        help.push_str(&format!(", or {} in {}", listed(&keys), file.display()));
    }
    Failure::new(sentence, &help).telling(String::new(), told(&words))
}

/// The same for programs.
fn told(words: &[Words]) -> Value {
    let object = |words: &Words| {
        let Words { name, text, option, variable, key } = words;
        json!({ "name": name, "text": text, "option": option, "variable": variable, "key": key })
    };
    json!({ "missing": words.iter().map(object).collect::<Vec<_>>() })
}

/// One, two and three.
fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}
