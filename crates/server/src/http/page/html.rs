//! The HTML of the page. Works without scripts, images and cookies; everything from outside is escaped by the macro that
//! writes it.

use super::form::Back;
use super::texts::{Texts, fill};
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

    fn text(self, texts: &Texts) -> &'static str {
        match self {
            Self::NoToken => texts.no_token,
            Self::WrongToken => texts.wrong_token,
            Self::EndedToken => texts.ended_token,
            Self::NotIncluded => texts.not_included,
            Self::Stale => texts.stale,
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

/// The page on which the user signs in, accepts or declines. `sealed` comes back with the form. What the decision needs stands
/// before it and is short, so that all of it is seen at once on a small screen; the rest stands behind it.
pub(super) fn question(texts: &Texts, facts: &Facts, step: &Step, sealed: &str, problem: Option<Problem>) -> Markup {
    let main = html! {
        @if let Some(problem) = problem { (told_problem(texts, step, problem)) }
        h1 { (texts.question) }
        (asked(texts, facts))
        @match step {
            Step::SignIn => { (sign_in(texts, sealed, problem)) }
            Step::Decide(holder) => {
                @match holder {
                    Some(name) => p { (around(texts.signed_in, &html! { strong { (quoted(name)) } })) }
                    None => p { (texts.no_account) }
                }
                form method="post" {
                    (hidden(sealed))
                    button.first name="action" value="accept" { (texts.accept) }
                    (decline(texts))
                }
            }
        }
        (offered(texts, facts))
    };
    let title = if problem.is_some() { fill(texts.error, [texts.question]) } else { texts.question.to_owned() };
    document(texts, &title, Some(facts), &main)
}

fn told_problem(texts: &Texts, step: &Step, problem: Problem) -> Markup {
    let of_the_field = matches!(step, Step::SignIn) && problem != Problem::Stale;
    let text = problem.text(texts);
    html! {
        div.problem role="alert" tabindex="-1" autofocus aria-labelledby="problem" {
            h2 #problem { (texts.problem) }
            p #problem-text {
                @if of_the_field { a href="#token" { (text) } } @else { (text) }
            }
        }
    }
}

fn sign_in(texts: &Texts, sealed: &str, problem: Option<Problem>) -> Markup {
    let wrong = matches!(problem, Some(problem) if problem.is_of_the_token());
    let described_by = if wrong { "problem-text hint" } else { "hint" };
    html! {
        form method="post" {
            (hidden(sealed))
            label for="token" { (texts.token) }
            input #token name="token" type="password" autocomplete="current-password" maxlength="256" required
                aria-invalid=[wrong.then_some("true")] aria-describedby=(described_by);
            div {
                button.first name="action" value="sign-in" { (texts.sign_in) }
                (decline(texts))
            }
            p #hint { (texts.hint) }
        }
    }
}

pub(super) fn hidden(sealed: &str) -> Markup {
    html! { input type="hidden" name="session" value=(sealed); }
}

fn decline(texts: &Texts) -> Markup {
    html! { button name="action" value="decline" formnovalidate { (texts.decline) } }
}

/// Who asks for what, in short.
fn asked(texts: &Texts, facts: &Facts) -> Markup {
    let more = facts.titles.len().saturating_sub(1);
    html! {
        div.asked {
            @if let Some((title, _)) = facts.titles.first() { strong { (quoted(title)) } }
            @if more > 0 { " " (fill(texts.more, [&more.to_string()])) }
        }
        dl.facts {
            dt { (texts.app) }
            dd {
                @match &facts.application {
                    Some(name) => { (around(texts.app_named, &quoted(name))) }
                    None => { (texts.app_unnamed) }
                }
            }
            dt { (texts.device) }
            dd.id { (facts.device) }
            dt { (texts.from) }
            dd { (quoted(&facts.issuer)) }
        }
        p { (texts.digits) }
        p.code #code { (facts.code) }
    }
}

/// Everything that is asked for, each with its terms.
fn offered(texts: &Texts, facts: &Facts) -> Markup {
    let more = facts.titles.len().saturating_sub(MAX_LISTED);
    html! {
        h2 { (texts.what_you_get) }
        ul.titles {
            @for (title, terms) in facts.titles.iter().take(MAX_LISTED) {
                li {
                    strong { (quoted(title)) }
                    ul { @for sentence in terms { li { (sentence) } } }
                }
            }
            @if more > 0 { li { (fill(texts.more, [&more.to_string()])) } }
        }
    }
}

/// A page that only tells something.
pub(super) fn told(texts: &Texts, title: &str, text: &str, back: Option<&str>) -> Markup {
    let main = html! {
        h1 { (title) }
        p { (text) }
        @if let Some(url) = back { p { a href=(url) { (texts.back) } } }
    };
    document(texts, title, None, &main)
}

/// The page for people who open the address of the service itself: whose it is and what it is for.
pub(super) fn home(texts: &Texts, issuer: &str, links: &[(&str, &str)]) -> Response<Body> {
    let main = html! {
        h1 { (around(texts.home_title, &quoted(issuer))) }
        p { (texts.home_purpose) }
        p { (texts.home_nothing_to_do) }
        ul { @for (url, text) in links { li { a href=(url) { (text) } } } }
    };
    response(StatusCode::OK, document(texts, &fill(texts.home_title, [&shown(issuer)]), None, &main), None)
}

/// A page that is the same for everybody: `main` is HTML of our own.
pub(super) fn fixed(texts: &Texts, title: &str, main: &str) -> Response<Body> {
    response(StatusCode::OK, document(texts, title, None, &PreEscaped(main.to_owned())), None)
}

pub(super) fn document(texts: &Texts, title: &str, facts: Option<&Facts>, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(texts.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (main) }
                @if let Some(facts) = facts { (legal(texts, facts)) }
            }
        }
    }
}

/// Opens in another tab: what was entered here stays, and the way back is no form sent twice.
fn legal(texts: &Texts, facts: &Facts) -> Markup {
    let links = facts.terms_url.iter().map(|url| (url, texts.terms_of_use));
    let links = links.chain([(&facts.privacy_url, texts.privacy)]);
    html! {
        footer {
            nav aria-label=(texts.legal) {
                ul {
                    @for (url, text) in links {
                        li { a href=(url) target="_blank" rel="noopener" { (fill(texts.new_tab, [text])) } }
                    }
                }
            }
        }
    }
}

/// A text with markup in its one place.
pub(super) fn around(text: &str, inner: &Markup) -> Markup {
    let (before, after) = text.split_once("{}").unwrap_or((text, ""));
    html! { (before) (inner) (after) }
}

/// Text of somebody else's choice, kept from reordering or hiding what stands around it.
pub(super) fn quoted(text: &str) -> Markup {
    html! { bdi { (shown(text)) } }
}

/// As `quoted`, where there can be no elements.
fn shown(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control())
        .filter(|letter| !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'))
        .take(200)
        .collect()
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
        (header::VARY, "accept-language"),
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
