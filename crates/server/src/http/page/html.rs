//! The HTML of the page. Works without scripts, images and cookies; everything from outside is escaped here.

use super::form::Back;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use std::fmt::Write as _;
use wmlicense_wire::id::Digest;

const STYLE: &str = include_str!("style.css");
/// Most titles listed on a page.
const MAX_LISTED: usize = 20;

/// Who asks for what: the same on every view.
pub(super) struct Facts {
    /// Name of the content's owner.
    pub(super) issuer: String,
    /// Six digits that the application shows as well.
    pub(super) code: String,
    /// Device ID.
    pub(super) device: String,
    /// What the application calls itself.
    pub(super) application: Option<String>,
    /// Titles, each with its terms.
    pub(super) titles: Vec<(String, Vec<String>)>,
    /// Privacy statement.
    pub(super) privacy_url: String,
    /// Terms of use.
    pub(super) terms_url: Option<String>,
}

/// What the user has to correct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Problem {
    /// The form was empty.
    NoToken,
    /// No account has this token.
    WrongToken,
    /// The account's scopes hold nothing of what is asked.
    NotIncluded,
    /// The form did not come from this page, or is too old.
    Stale,
}

impl Problem {
    fn text(self) -> &'static str {
        match self {
            Self::NoToken => "Enter the account token.",
            Self::WrongToken => "No account has this token. Check it and enter it again.",
            Self::NotIncluded => {
                "This account does not include the content. Enter the token of another account, or decline."
            }
            Self::Stale => "The form was not sent from this page. Please try again.",
        }
    }
}

/// What the user can do.
pub(super) enum Step {
    /// Sign in, or decline.
    SignIn,
    /// Accept or decline, with this account where there is one.
    Decide(Option<String>),
}

/// The page on which the user signs in, accepts or declines. `sealed` comes back with the form.
pub(super) fn question(facts: &Facts, step: &Step, sealed: &str, problem: Option<Problem>) -> String {
    let mut main = String::new();
    if let Some(problem) = problem {
        let text = problem.text();
        let text = if matches!(step, Step::SignIn) && problem != Problem::Stale {
            format!("<a href=\"#token\">{text}</a>")
        } else {
            text.to_owned()
        };
        let _ = write!(
            main,
            "<div class=\"problem\" role=\"alert\" tabindex=\"-1\" autofocus aria-labelledby=\"problem\">\
             <h2 id=\"problem\">There is a problem</h2><p id=\"problem-text\">{text}</p></div>"
        );
    }
    let _ = write!(main, "<h1>Unlock this for your app?</h1>{}", described(facts));
    let hidden = format!("<input type=\"hidden\" name=\"session\" value=\"{}\">", escape(sealed));
    let decline = "<button name=\"action\" value=\"decline\" formnovalidate>Decline</button>";
    let _ = match step {
        Step::SignIn => write!(main, "{}", sign_in(&hidden, decline, problem)),
        Step::Decide(holder) => {
            let holder = holder.as_deref().map_or_else(
                || "<p>No account is needed.</p>".to_owned(),
                |name| format!("<p>You are signed in as <strong>{}</strong>.</p>", quoted(name)),
            );
            write!(
                main,
                "<h2>Your decision</h2>{holder}<form method=\"post\">{hidden}\
                 <button class=\"first\" name=\"action\" value=\"accept\">Accept</button>{decline}</form>"
            )
        }
    };
    let title = if problem.is_some() { "Error: unlock this for your app?" } else { "Unlock this for your app?" };
    document(title, Some(facts), &main)
}

fn sign_in(hidden: &str, decline: &str, problem: Option<Problem>) -> String {
    let wrong = matches!(problem, Some(Problem::NoToken | Problem::WrongToken | Problem::NotIncluded));
    let marks = if wrong {
        " aria-invalid=\"true\" aria-describedby=\"problem-text hint\""
    } else {
        " aria-describedby=\"hint\""
    };
    format!(
        "<h2>Sign in</h2><form method=\"post\">{hidden}<label for=\"token\">Account token</label>\
         <p id=\"hint\">You got it with your account, from whoever this content is from. Enter it only if your app shows \
         the six digits above.</p>\
         <input id=\"token\" name=\"token\" type=\"password\" autocomplete=\"current-password\" maxlength=\"256\" required{marks}>\
         <div><button class=\"first\" name=\"action\" value=\"sign-in\">Sign in</button>{decline}</div></form>"
    )
}

fn described(facts: &Facts) -> String {
    let mut titles = String::new();
    for (title, terms) in facts.titles.iter().take(MAX_LISTED) {
        let _ = write!(titles, "<li><strong>{}</strong><ul>", quoted(title));
        for sentence in terms {
            let _ = write!(titles, "<li>{}</li>", escape(sentence));
        }
        titles.push_str("</ul></li>");
    }
    if let Some(more) = facts.titles.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        let _ = write!(titles, "<li>and {more} more</li>");
    }
    let application = facts
        .application
        .as_deref()
        .map_or_else(|| "It gives no name".to_owned(), |name| format!("It calls itself {}", quoted(name)));
    format!(
        "<p>Your app sent you here, because you have to accept the terms before it can go on. It shows these six digits:</p>\
         <p class=\"code\" id=\"code\">{}</p>\
         <p>If your app shows others, or none, somebody else sent you here: decline.</p>\
         <h2>What you get</h2><ul class=\"titles\">{titles}</ul>\
         <h2>Who is asking</h2>\
         <dl><dt>App</dt><dd>{application}</dd><dt>Device</dt><dd>{}</dd><dt>The content is from</dt><dd>{}</dd></dl>",
        escape(&facts.code),
        escape(&facts.device),
        quoted(&facts.issuer),
    )
}

/// A page that only tells something.
pub(super) fn told(title: &str, text: &str, facts: Option<&Facts>, back: Option<&str>) -> String {
    let link = back.map(|url| format!("<p><a href=\"{}\">Go back to the app</a></p>", escape(url)));
    let main = format!("<h1>{}</h1><p>{}</p>{}", escape(title), escape(text), link.unwrap_or_default());
    document(title, facts, &main)
}

/// A page that is the same for everybody: `main` is HTML of our own.
pub(super) fn fixed(title: &str, main: &str) -> Response<Body> {
    response(StatusCode::OK, document(title, None, main), None)
}

fn document(title: &str, facts: Option<&Facts>, main: &str) -> String {
    let (mut header, mut footer) = (String::new(), String::new());
    if let Some(facts) = facts {
        header = format!("<header><p>{}</p></header>", quoted(&facts.issuer));
        // In another tab: what was entered here stays, and the way back is no form sent twice.
        let link = |url: &str, text| {
            let url = escape(url);
            format!("<li><a href=\"{url}\" target=\"_blank\" rel=\"noopener\">{text} (opens in a new tab)</a></li>")
        };
        let terms = facts.terms_url.as_deref().map(|url| link(url, "Terms of use")).unwrap_or_default();
        let privacy = link(&facts.privacy_url, "Privacy statement");
        footer = format!("<footer><nav aria-label=\"Legal\"><ul>{terms}{privacy}</ul></nav></footer>");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{}</title>\
         <style>{STYLE}</style></head><body>{header}<main>{main}</main>{footer}</body></html>\n",
        escape(title)
    )
}

/// Text of somebody else's choice: escaped, and kept from reordering or hiding what stands around it.
fn quoted(text: &str) -> String {
    let shown: String = text
        .chars()
        .filter(|letter| !letter.is_control())
        .filter(|letter| !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'))
        .take(200)
        .collect();
    format!("<bdi>{}</bdi>", escape(&shown))
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A page as a response that no cache keeps, no frame shows, and that loads and sends nothing elsewhere. A form may lead to
/// `back` by a redirect.
pub(super) fn response(status: StatusCode, page: String, back: Option<&Back>) -> Response<Body> {
    let mut response = Response::new(Body::from(page));
    *response.status_mut() = status;
    let style = Digest::of(STYLE.as_bytes()).to_base64();
    let back = back.and_then(Back::policy_source).map(|origin| format!(" {origin}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'{back}; base-uri 'none'; frame-ancestors 'none'"
    );
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        assert_eq!(quoted("<a href=\"x\">'&"), "<bdi>&lt;a href=&quot;x&quot;&gt;&#39;&amp;</bdi>");
        assert_eq!(quoted("a\u{202e}b\u{2066}c\nd"), "<bdi>abcd</bdi>");
        assert_eq!(quoted(&"x".repeat(500)).len(), 200 + "<bdi></bdi>".len());
    }
}
