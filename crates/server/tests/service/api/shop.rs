//! A service whose owner is asked by the API, each answer held to the document.

use serde_json::{Value, json};
use std::sync::OnceLock;
use wmlicense_testkit::daemon::device::agent;
use wmlicense_testkit::daemon::{Data, Serving};

/// A service with tokens, and the document of its API.
pub(super) struct Shop {
    pub(super) data: Data,
    pub(super) serving: Serving,
    pub(super) owner: String,
    document: OnceLock<Value>,
}

/// An answer: its status, body, and whether it was given before.
#[derive(Debug, PartialEq)]
pub(super) struct Told {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) replayed: bool,
}

impl Told {
    #[track_caller]
    pub(super) fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// What a refusal says.
    #[track_caller]
    pub(super) fn refused(self, status: u16) -> String {
        self.is(status)["detail"].as_str().unwrap().to_owned()
    }
}

/// What is sent beside method and path.
#[derive(Default, Clone, Copy)]
pub(super) struct Sent<'a> {
    pub(super) token: Option<&'a str>,
    pub(super) body: Option<&'a [u8]>,
    pub(super) key: Option<&'a str>,
}

impl Shop {
    pub(super) fn over(data: Data) -> Self {
        data.fill();
        let owner = admin(&data, "ada", "owner");
        let serving = data.serve(&[]);
        Self { data, serving, owner, document: OnceLock::new() }
    }

    pub(super) fn new() -> Self {
        Self::over(Data::new())
    }

    pub(super) fn raw(&self, method: &str, path: &str, sent: Sent<'_>) -> Told {
        let url = format!("{}/admin/v1/{path}", self.serving.management);
        let mut request = ureq::http::Request::builder().method(method).uri(url);
        let token = sent.token.unwrap_or(&self.owner);
        request = request.header("authorization", format!("Bearer {token}"));
        if let Some(key) = sent.key {
            request = request.header("idempotency-key", key);
        }
        let response = match sent.body {
            Some(body) => agent().run(request.body(body).unwrap()),
            None => agent().run(request.body(()).unwrap()),
        };
        let mut response = response.unwrap();
        let replayed = response.headers().contains_key("idempotency-replayed");
        let text = response.body_mut().read_to_string().unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Told { status: response.status().as_u16(), body, replayed }
    }

    /// As [`Self::raw`], held to the document.
    #[track_caller]
    pub(super) fn sent(&self, method: &str, path: &str, sent: Sent<'_>) -> Told {
        let document = self.document.get_or_init(|| self.raw("GET", "openapi.json", Sent::default()).is(200));
        let told = self.raw(method, path, sent);
        let (operation, words) = (operation(document, method, path), format!("{method} {path}"));
        let responses = &operation["responses"];
        let response = match told.status {
            400..500 => &responses["4XX"],
            500.. => &responses["5XX"],
            status => &responses[status.to_string()],
        };
        assert!(response.is_object(), "{words}: {} is not in the document", told.status);
        let content = response["content"].as_object();
        match content.and_then(|content| content.values().next()) {
            Some(media) => holds(document, &media["schema"], &told.body, &words),
            None => assert_eq!(told.body, Value::Null, "{words}"),
        }
        told
    }

    #[track_caller]
    pub(super) fn ask(&self, method: &str, path: &str, body: Value) -> Told {
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_bytes());
        self.sent(method, path, Sent { body, ..Sent::default() })
    }

    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null).is(200)
    }

    /// Who did what, the latest first.
    pub(super) fn acts(&self) -> Vec<(String, String)> {
        let rows = self.get("audit?limit=1000")["rows"].as_array().unwrap().clone();
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        rows.iter().map(|row| (text(row, "who"), text(row, "act"))).collect()
    }
}

fn admin(data: &Data, name: &str, role: &str) -> String {
    data.admin(&["admin", "add", name, "--role", role]).strip_prefix("token: ").unwrap().trim().to_owned()
}

/// The operation of a path in the document.
fn operation<'d>(document: &'d Value, method: &str, path: &str) -> &'d Value {
    let path = path.split('?').next().unwrap();
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |known: &str| {
        let known: Vec<&str> = known.strip_prefix("/admin/v1/").unwrap().split('/').collect();
        known.len() == asked.len() && known.iter().zip(&asked).all(|(one, other)| one == other || one.starts_with('{'))
    };
    let found = document["paths"].as_object().unwrap().iter().find(|(known, _)| fits(known));
    let operation = &found.unwrap_or_else(|| panic!("{path} is not in the document")).1[method.to_ascii_lowercase()];
    assert!(operation.is_object(), "{method} {path} is not in the document");
    operation
}

/// Holds a value to a schema, as far as the document uses schemas.
fn holds(document: &Value, schema: &Value, value: &Value, words: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return holds(document, document.pointer(reference.trim_start_matches('#')).unwrap(), value, words);
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => return,
        kind => vec![kind.clone()],
    };
    let is = |kind: &Value| match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{words}: the document has a type {other}"),
    };
    assert!(kinds.iter().any(is), "{words}: {value} is no {kinds:?}");
    for element in value.as_array().into_iter().flatten() {
        holds(document, &schema["items"], element, words);
    }
    let Some(object) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(object.contains_key(name.as_str().unwrap()), "{words}: {value} lacks {name}");
    }
    for (name, value) in object {
        match &schema["properties"][name] {
            Value::Null => assert_ne!(schema["additionalProperties"], json!(false), "{words}: {name} is not told of"),
            schema => holds(document, schema, value, words),
        }
    }
}
