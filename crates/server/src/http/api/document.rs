//! The document of the owner's API in OpenAPI 3.1, made of the table of its routes.

use super::fields::Field;
use super::route::{Gives, Route, Taken};
use crate::owner::told::{Column, Kind};
use crate::rules::admins::who_may;
use axum::http::Method;
use serde_json::{Map, Value, json};

pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in super::routes() {
        let methods = paths.entry(route.path.to_owned()).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "wmlicensed: the owner's API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the commands of wmlicensed do, for whoever has an admin token whose role may.",
        },
        "security": [{ "bearer": [] }, { "basic": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "basic": { "type": "http", "scheme": "basic", "description": "The token is the password; the name is not looked at." },
            },
            "schemas": { "Problem": problem() },
        },
    })
}

/// A problem of RFC 9457.
fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "requestId"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string" },
            "code": { "type": "integer" },
            "retryAfter": { "type": "integer" },
            "requestId": { "type": "string" },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route.in_path.iter().map(|field| parameter(field, "path")).collect();
    parameters.extend(route.queried().iter().map(|field| parameter(field, "query")));
    if route.method != Method::GET {
        parameters.push(json!({
            "name": "Idempotency-Key",
            "in": "header",
            "schema": { "type": "string", "minLength": 1, "maxLength": super::MAX_KEY_LEN, "pattern": "^[!-~]+$" },
            "description": "A request that comes again with the same key within a day is answered as before, and not done again.",
        }));
    }
    let refused = json!({
        "description": "Why it was not done, and what helps.",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "description": format!("For the role {}.", who_may(route.right)),
        "parameters": parameters,
        "responses": { route.status().to_string(): given(route), "4XX": refused, "5XX": refused },
    });
    if let Some(body) = body(route.takes) {
        operation["requestBody"] = body;
    }
    operation
}

/// Such as `get-accounts-name-tokens`.
fn operation_id(route: &Route) -> String {
    let words = route.path.trim_start_matches("/admin/v1/").replace(['{', '}'], "").replace(['/', '.'], "-");
    format!("{}-{words}", route.method.as_str().to_ascii_lowercase())
}

fn parameter(field: &Field, place: &str) -> Value {
    json!({
        "name": field.name,
        "in": place,
        "required": field.needed,
        "description": field.about,
        "schema": field.kind.schema(),
    })
}

fn body(takes: Taken) -> Option<Value> {
    let (media_type, schema, needed) = match takes {
        Taken::Nothing => return None,
        Taken::Fields(fields) => ("application/json", asked(fields), fields.iter().any(|field| field.needed)),
        Taken::Policy => ("application/json", json!({ "type": "object" }), true),
        Taken::Keys => ("application/octet-stream", json!({}), true),
    };
    Some(json!({ "required": needed, "content": { media_type: { "schema": schema } } }))
}

fn asked(fields: &[Field]) -> Value {
    let mut properties = Map::new();
    for field in fields {
        let mut schema = field.kind.schema();
        schema["description"] = json!(field.about);
        properties.insert(field.name.to_owned(), schema);
    }
    let needed: Vec<&str> = fields.iter().filter(|field| field.needed).map(|field| field.name).collect();
    json!({ "type": "object", "required": needed, "properties": properties, "additionalProperties": false })
}

fn given(route: &Route) -> Value {
    let schema = match route.gives {
        Gives::Nothing => return json!({ "description": "It is done." }),
        Gives::Object(columns) | Gives::Made(columns) => object(columns),
        Gives::Rows(columns) => json!({ "type": "array", "items": object(columns) }),
        Gives::Page(columns) => json!({
            "type": "object",
            "required": ["rows", "cursor"],
            "properties": {
                "rows": { "type": "array", "items": object(columns) },
                "cursor": { "type": ["string", "null"], "description": "For the next page; null where none follows." },
            },
            "additionalProperties": false,
        }),
        Gives::Counts => json!({ "type": "object", "additionalProperties": { "type": "integer", "minimum": 0 } }),
        Gives::Policy | Gives::Document => json!({ "type": "object" }),
    };
    json!({ "description": "It is done.", "content": { "application/json": { "schema": schema } } })
}

fn object(columns: &[Column]) -> Value {
    let properties: Map<String, Value> = columns.iter().map(|column| (column.name.to_owned(), value(column))).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    json!({ "type": "object", "required": names, "properties": properties, "additionalProperties": false })
}

fn value(column: &Column) -> Value {
    let mut schema = match column.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Number => json!({ "type": "integer", "minimum": 0 }),
        Kind::Days => json!({ "type": "integer" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
    };
    if column.lacks {
        schema["type"] = json!([schema["type"], "null"]);
    }
    schema
}
