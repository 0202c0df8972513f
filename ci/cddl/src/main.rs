//! Holds documents against rules. Arguments: a whole CDDL file, which must be valid, and the part of it that the crate follows. Reads
//! lines `RULE HEX` and answers a line to each: `ok`, or why not.

use cddl::ast::CDDL;
use cddl::cddl_from_str;
use cddl::validator::Validator as _;
use cddl::validator::cbor::CBORValidator;
use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead as _, stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let [whole, followed] = files.as_slice() else {
        return Err("usage: hold-against-cddl WHOLE FOLLOWED <DOCUMENTS".into());
    };
    cddl_from_str(&std::fs::read_to_string(whole)?, true)?;
    let text = std::fs::read_to_string(followed)?;
    let mut schemas: HashMap<String, CDDL<'static>> = HashMap::new();
    for line in stdin().lock().lines() {
        let line = line?;
        let (rule, hex) = line.split_once(' ').ok_or("a line that is not `RULE HEX`")?;
        if !schemas.contains_key(rule) {
            schemas.insert(rule.to_owned(), first_rule(rule, &text)?);
        }
        let schema = schemas.get(rule).ok_or("a rule")?;
        let held = ciborium::from_reader::<ciborium::Value, _>(bytes(hex)?.as_slice())
            .map_err(|error| error.to_string())
            .and_then(|value| {
                CBORValidator::new(schema, value.into(), None).validate().map_err(|error| error.to_string())
            });
        println!("{}", held.err().map_or_else(|| "ok".to_owned(), |error| error.replace('\n', " ")));
    }
    Ok(())
}

/// The rules with this one in front, because the crate holds a document against the first. They stay for the life of the process.
fn first_rule(rule: &str, text: &str) -> Result<CDDL<'static>, Box<dyn Error>> {
    Ok(cddl_from_str(format!("only = {rule}\n{text}").leak(), true)?)
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !hex.len().is_multiple_of(2) {
        return Err("an odd number of digits".into());
    }
    (0..hex.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&hex[at..at + 2], 16)?)).collect()
}
