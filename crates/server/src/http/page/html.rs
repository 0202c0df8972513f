//! The HTML of the page. Works without scripts, images and cookies; everything from outside is escaped by the macro that
//! writes it.

use super::form::Back;
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};
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
    /// An account had this token once.
    EndedToken,
    /// The account's scopes hold nothing of what is asked.
    NotIncluded,
    /// The form did not come from this page, or is too old.
    Stale,
}

impl Problem {
    fn is_of_the_token(self) -> bool {
        match self {
            Self::NoToken | Self::WrongToken | Self::EndedToken | Self::NotIncluded => true,
            Self::Stale => false,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NoToken => "Enter the account token.",
            Self::WrongToken => "No account has this token. Check it and enter it again.",
            Self::EndedToken => "This token has ended. Get another one from whoever gave it to you, and enter that.",
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
pub(super) fn question(facts: &Facts, step: &Step, sealed: &str, problem: Option<Problem>) -> Markup {
    let main = html! {
        @if let Some(problem) = problem { (told_problem(step, problem)) }
        h1 { "Unlock this for your app?" }
        (described(facts))
        @match step {
            Step::SignIn => { (sign_in(sealed, problem)) }
            Step::Decide(holder) => {
                h2 { "Your decision" }
                @match holder {
                    Some(name) => p { "You are signed in as " strong { (quoted(name)) } "." }
                    None => p { "No account is needed." }
                }
                form method="post" {
                    (hidden(sealed))
                    button.first name="action" value="accept" { "Accept" }
                    (decline())
                }
            }
        }
    };
    let title = if problem.is_some() { "Error: unlock this for your app?" } else { "Unlock this for your app?" };
    document(title, Some(facts), &main)
}

fn told_problem(step: &Step, problem: Problem) -> Markup {
    let of_the_field = matches!(step, Step::SignIn) && problem != Problem::Stale;
    html! {
        div.problem role="alert" tabindex="-1" autofocus aria-labelledby="problem" {
            h2 #problem { "There is a problem" }
            p #problem-text {
                @if of_the_field { a href="#token" { (problem.text()) } } @else { (problem.text()) }
            }
        }
    }
}

fn sign_in(sealed: &str, problem: Option<Problem>) -> Markup {
    let wrong = matches!(problem, Some(problem) if problem.is_of_the_token());
    let described_by = if wrong { "problem-text hint" } else { "hint" };
    html! {
        h2 { "Sign in" }
        form method="post" {
            (hidden(sealed))
            label for="token" { "Account token" }
            p #hint {
                "You got it with your account, from whoever this content is from. Enter it only if your app shows the six "
                "digits above."
            }
            input #token name="token" type="password" autocomplete="current-password" maxlength="256" required
                aria-invalid=[wrong.then_some("true")] aria-describedby=(described_by);
            div {
                button.first name="action" value="sign-in" { "Sign in" }
                (decline())
            }
        }
    }
}

fn hidden(sealed: &str) -> Markup {
    html! { input type="hidden" name="session" value=(sealed); }
}

fn decline() -> Markup {
    html! { button name="action" value="decline" formnovalidate { "Decline" } }
}

fn described(facts: &Facts) -> Markup {
    let more = facts.titles.len().saturating_sub(MAX_LISTED);
    html! {
        p { "Your app sent you here, because you have to accept the terms before it can go on. It shows these six digits:" }
        p.code #code { (facts.code) }
        p { "If your app shows others, or none, somebody else sent you here: decline." }
        h2 { "What you get" }
        ul.titles {
            @for (title, terms) in facts.titles.iter().take(MAX_LISTED) {
                li {
                    strong { (quoted(title)) }
                    ul { @for sentence in terms { li { (sentence) } } }
                }
            }
            @if more > 0 { li { "and " (more) " more" } }
        }
        h2 { "Who is asking" }
        dl {
            dt { "App" }
            dd {
                @match &facts.application {
                    Some(name) => { "It calls itself " (quoted(name)) }
                    None => { "It gives no name" }
                }
            }
            dt { "Device" }
            dd { (facts.device) }
            dt { "The content is from" }
            dd { (quoted(&facts.issuer)) }
        }
    }
}

/// A page that only tells something.
pub(super) fn told(title: &str, text: &str, facts: Option<&Facts>, back: Option<&str>) -> Markup {
    let main = html! {
        h1 { (title) }
        p { (text) }
        @if let Some(url) = back { p { a href=(url) { "Go back to the app" } } }
    };
    document(title, facts, &main)
}

/// A page that is the same for everybody: `main` is HTML of our own.
pub(super) fn fixed(title: &str, main: &str) -> Response<Body> {
    response(StatusCode::OK, document(title, None, &PreEscaped(main.to_owned())), None)
}

fn document(title: &str, facts: Option<&Facts>, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if let Some(facts) = facts { header { p { (quoted(&facts.issuer)) } } }
                main { (main) }
                @if let Some(facts) = facts { (legal(facts)) }
            }
        }
    }
}

/// Opens in another tab: what was entered here stays, and the way back is no form sent twice.
fn legal(facts: &Facts) -> Markup {
    let links = facts.terms_url.iter().map(|url| (url, "Terms of use"));
    let links = links.chain([(&facts.privacy_url, "Privacy statement")]);
    html! {
        footer {
            nav aria-label="Legal" {
                ul {
                    @for (url, text) in links {
                        li { a href=(url) target="_blank" rel="noopener" { (text) " (opens in a new tab)" } }
                    }
                }
            }
        }
    }
}

/// Text of somebody else's choice, kept from reordering or hiding what stands around it.
fn quoted(text: &str) -> Markup {
    let shown: String = text
        .chars()
        .filter(|letter| !letter.is_control())
        .filter(|letter| !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'))
        .take(200)
        .collect();
    html! { bdi { (shown) } }
}

/// A page as a response that no cache keeps, no frame shows, and that loads and sends nothing elsewhere. A form may lead to
/// `back` by a redirect.
pub(super) fn response(status: StatusCode, page: Markup, back: Option<&Back>) -> Response<Body> {
    let mut response = Response::new(Body::from(page.into_string()));
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
        let quoted = |text: &str| quoted(text).into_string();
        assert_eq!(quoted("<a href=\"x\">&"), "<bdi>&lt;a href=&quot;x&quot;&gt;&amp;</bdi>");
        assert_eq!(quoted("a\u{202e}b\u{2066}c\nd"), "<bdi>abcd</bdi>");
        assert_eq!(quoted(&"x".repeat(500)).len(), 200 + "<bdi></bdi>".len());
    }
}
