//! What a request to the owner's API may say: fields of its path, its query and its body, each of one kind. The same table checks
//! requests and is told in the document.

use crate::owner::{MAX_NAME_LEN, is_name};
use crate::policy::parse_rfc3339;
use crate::problem::Refusal;
use serde_json::{Map, Value, json};
use wmlicense_wire::id::Id;
use zeroize::Zeroize as _;

/// Longest text of a field in bytes.
const MAX_TEXT_LEN: usize = 512;
/// Text without control characters, as a pattern of JSON Schema.
const NO_CONTROLS: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";
/// Longest cursor.
const MAX_CURSOR_LEN: usize = 512;
/// Most values of one field.
const MAX_VALUES: usize = 256;

/// What kind of value a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What accounts, scopes and policies can be called.
    Name,
    Names,
    /// One line.
    Text,
    /// What a list gave to go on.
    Cursor,
    /// So many bytes in hexadecimal.
    Hex(usize),
    /// Several of 16 bytes.
    Hexes,
    /// As 2027-01-01T00:00:00Z.
    Time,
    Flag,
    /// From the first to the last.
    Number(u64, u64),
    Choice(&'static [&'static str]),
}

/// A field of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) needed: bool,
    pub(super) about: &'static str,
}

/// A field that has to be there.
pub(super) const fn needs(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, needed: true, about }
}

/// A field that may be there.
pub(super) const fn takes(name: &'static str, kind: Kind, about: &'static str) -> Field {
    Field { name, kind, needed: false, about }
}

impl Kind {
    /// What is wrong with a value; nothing where it is one of this kind.
    fn fault(self, value: &Value) -> Option<String> {
        let text = value.as_str();
        let is_line = |text: &str| !text.chars().any(char::is_control);
        let good = match self {
            Self::Name => text.is_some_and(is_name),
            Self::Text => text.is_some_and(|text| text.len() <= MAX_TEXT_LEN && is_line(text)),
            Self::Cursor => text.is_some_and(|text| text.len() <= MAX_CURSOR_LEN),
            Self::Hex(bytes) => text.is_some_and(|text| is_hex(text, bytes)),
            Self::Time => text.is_some_and(|text| parse_rfc3339(text).is_some()),
            Self::Flag => value.is_boolean(),
            Self::Number(first, last) => value.as_u64().is_some_and(|number| (first..=last).contains(&number)),
            Self::Choice(words) => text.is_some_and(|text| words.contains(&text)),
            Self::Names => all(value, 0, Self::Name),
            Self::Hexes => all(value, 1, Self::Hex(16)),
        };
        (!good).then(|| self.expected())
    }

    fn expected(self) -> String {
        match self {
            Self::Name => format!("a name of 1 to {MAX_NAME_LEN} bytes without control characters is expected"),
            Self::Names => format!("an array of at most {MAX_VALUES} names is expected"),
            Self::Text => format!("one line of at most {MAX_TEXT_LEN} bytes is expected"),
            Self::Cursor => "the cursor that the list gave is expected".to_owned(),
            Self::Hex(bytes) => format!("{} hexadecimal digits are expected", 2 * bytes),
            Self::Hexes => format!("an array of 1 to {MAX_VALUES} texts of 32 hexadecimal digits is expected"),
            Self::Time => "a time like 2027-01-01T00:00:00Z is expected".to_owned(),
            Self::Flag => "true or false is expected".to_owned(),
            Self::Number(first, last) => format!("a number from {first} to {last} is expected"),
            Self::Choice(words) => format!("one of {} is expected", words.join(", ")),
        }
    }

    /// The text of a query or a path as a value of this kind, or else as text, which is none of it.
    fn of_text(self, text: &str) -> Value {
        match (self, text) {
            (Self::Flag, "true") => json!(true),
            (Self::Flag, "false") => json!(false),
            (Self::Number(..), digits) => digits.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number)),
            _ => json!(text),
        }
    }

    /// The kind in the words of JSON Schema.
    pub(super) fn schema(self) -> Value {
        match self {
            Self::Name => {
                json!({ "type": "string", "minLength": 1, "maxLength": MAX_NAME_LEN, "pattern": NO_CONTROLS })
            }
            Self::Names => json!({ "type": "array", "maxItems": MAX_VALUES, "items": Self::Name.schema() }),
            Self::Text => json!({ "type": "string", "maxLength": MAX_TEXT_LEN, "pattern": NO_CONTROLS }),
            Self::Cursor => json!({ "type": "string", "maxLength": MAX_CURSOR_LEN }),
            Self::Hex(bytes) => json!({ "type": "string", "pattern": format!("^[0-9a-fA-F]{{{}}}$", 2 * bytes) }),
            Self::Hexes => {
                json!({ "type": "array", "minItems": 1, "maxItems": MAX_VALUES, "items": Self::Hex(16).schema() })
            }
            Self::Time => json!({ "type": "string", "format": "date-time" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Number(first, last) => json!({ "type": "integer", "minimum": first, "maximum": last }),
            Self::Choice(words) => json!({ "type": "string", "enum": words }),
        }
    }
}

fn is_hex(text: &str, bytes: usize) -> bool {
    text.len() == 2 * bytes && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn all(value: &Value, least: usize, kind: Kind) -> bool {
    let is_good = |values: &Vec<Value>| {
        (least..=MAX_VALUES).contains(&values.len()) && values.iter().all(|value| kind.fault(value).is_none())
    };
    value.as_array().is_some_and(is_good)
}

/// What a request says, checked. There can be keys in it: it is wiped, and nothing prints it.
#[derive(Default)]
pub(super) struct Values(Map<String, Value>);

impl Drop for Values {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Wipes the texts of a value.
pub(super) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(values) => values.iter_mut().for_each(wipe),
        Value::Object(values) => values.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Values {
    /// Takes texts of a query or a path.
    pub(super) fn take_texts<'a>(
        &mut self,
        fields: &[Field],
        texts: impl Iterator<Item = (&'a str, &'a str)>,
        from: &str,
    ) -> Result<(), Refusal> {
        let mut found = Map::new();
        for (name, text) in texts {
            let field = fields.iter().find(|field| field.name == name);
            let field = field.ok_or_else(|| unknown(name, fields, from))?;
            if found.insert(name.to_owned(), field.kind.of_text(text)).is_some() {
                return Err(Refusal::Wrong(format!("{from} says {name} twice.")));
            }
        }
        self.take(fields, found, from)
    }

    /// Takes the fields of a body.
    pub(super) fn take_body(&mut self, fields: &[Field], body: &[u8]) -> Result<(), Refusal> {
        let body = match serde_json::from_slice(body) {
            Ok(Value::Object(body)) => body,
            Ok(_) => return Err(Refusal::Wrong("The body is no JSON object.".to_owned())),
            Err(error) => return Err(Refusal::Wrong(format!("The body is no JSON: {error}."))),
        };
        self.take(fields, body, "The body")
    }

    fn take(&mut self, fields: &[Field], found: Map<String, Value>, from: &str) -> Result<(), Refusal> {
        for (name, value) in &found {
            let field = fields.iter().find(|field| field.name == name);
            let field = field.ok_or_else(|| unknown(name, fields, from))?;
            if let Some(fault) = field.kind.fault(value) {
                return Err(Refusal::Wrong(format!("{from}, {name}: {fault}.")));
            }
        }
        if let Some(field) = fields.iter().find(|field| field.needed && !found.contains_key(field.name)) {
            return Err(Refusal::Wrong(format!("{from} lacks {}: {}.", field.name, field.kind.expected())));
        }
        self.0.extend(found);
        Ok(())
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).and_then(Value::as_str).map(str::to_owned)
    }

    /// A text that has to be there.
    pub(super) fn needed(&self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn texts(&self, name: &str) -> Vec<String> {
        let values = self.0.get(name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    /// Seconds UTC.
    pub(super) fn time(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|text| parse_rfc3339(&text))
    }

    pub(super) fn id<const N: usize, K>(&self, name: &str) -> Option<Id<N, K>> {
        self.text(name).and_then(|text| Id::from_hex(&text).ok())
    }

    pub(super) fn ids<const N: usize, K>(&self, name: &str) -> Vec<Id<N, K>> {
        self.texts(name).iter().filter_map(|text| Id::from_hex(text).ok()).collect()
    }
}

fn unknown(name: &str, fields: &[Field], from: &str) -> Refusal {
    let name: String = name.chars().take(64).collect();
    let nearest = fields.iter().map(|field| (strsim::jaro_winkler(&name, field.name), field.name));
    let nearest = nearest.filter(|(likeness, _)| *likeness > 0.8).max_by(|one, other| one.0.total_cmp(&other.0));
    let help = nearest.map(|(_, near)| format!("; {near} is known")).unwrap_or_default();
    Refusal::Wrong(format!("{from} says {name:?}, which is not known here{help}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [Field; 4] = [
        needs("name", Kind::Name, ""),
        takes("scopes", Kind::Names, ""),
        takes("limit", Kind::Number(1, 9), ""),
        takes("until", Kind::Time, ""),
    ];

    fn body(text: &str) -> Result<Values, String> {
        let mut values = Values::default();
        values.take_body(&FIELDS, text.as_bytes()).map_err(|refusal| refusal.detail())?;
        Ok(values)
    }

    #[test]
    fn a_body_says_what_its_fields_are_and_nothing_else() {
        let good = body(r#"{"name":"a","scopes":["x","y"],"limit":9,"until":"2027-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!(
            (good.needed("name"), good.texts("scopes"), good.number("limit")),
            ("a".into(), vec!["x".into(), "y".into()], Some(9))
        );
        assert_eq!(good.time("until"), parse_rfc3339("2027-01-01T00:00:00Z"));
        for (wrong, why) in [
            ("[]", "no JSON object"),
            ("{", "no JSON"),
            ("{}", "lacks name"),
            (r#"{"name":""}"#, "1 to 128 bytes"),
            (r#"{"name":"a\u0007"}"#, "control characters"),
            (r#"{"name":"a","scope":["x"]}"#, "scopes is known"),
            (r#"{"name":"a","scopes":"x"}"#, "array"),
            (r#"{"name":"a","scopes":[1]}"#, "array"),
            (r#"{"name":"a","limit":10}"#, "from 1 to 9"),
            (r#"{"name":"a","limit":-1}"#, "from 1 to 9"),
            (r#"{"name":"a","until":"tomorrow"}"#, "2027"),
            (r#"{"name":"a","until":null}"#, "2027"),
        ] {
            let told = body(wrong).map(drop).unwrap_err();
            assert!(told.contains(why), "{wrong}: {told}");
        }
    }

    #[test]
    fn what_is_wiped_has_no_text_left() {
        let mut value = json!({ "token": "secret", "keys": ["secret", { "key": "secret" }], "count": 3 });
        wipe(&mut value);
        assert_eq!(value, json!({ "token": "", "keys": ["", { "key": "" }], "count": 3 }));
    }

    #[test]
    fn a_query_says_each_field_once_and_numbers_and_flags_as_text() {
        let fields = [takes("limit", Kind::Number(1, 9), ""), takes("removed", Kind::Flag, "")];
        let take = |texts: &[(&str, &str)]| {
            let mut values = Values::default();
            let taken = values.take_texts(&fields, texts.iter().copied(), "The query");
            taken.map(|()| (values.number("limit"), values.flag("removed"))).map_err(|refusal| refusal.detail())
        };
        assert_eq!(take(&[("limit", "3"), ("removed", "true")]), Ok((Some(3), true)));
        assert!(take(&[("limit", "3"), ("limit", "3")]).unwrap_err().contains("twice"));
        assert!(take(&[("removed", "yes")]).unwrap_err().contains("true or false"));
        assert!(take(&[("limit", "+x")]).unwrap_err().contains("from 1 to 9"));
        assert!(take(&[("offset", "3")]).unwrap_err().contains("not known"));
    }
}
