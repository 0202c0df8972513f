//! The page behind the URL of a refusal, for services whose owner names no page of their own. Works without scripts.

use axum::response::Html;

const PAGE: &str = include_str!("support.html");

/// Answers `GET /support`.
pub(super) async fn page() -> Html<&'static str> {
    Html(PAGE)
}
