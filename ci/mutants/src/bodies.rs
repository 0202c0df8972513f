//! What a function could answer without doing anything, by the type it answers.

use syn::{GenericArgument, PathArguments, ReturnType, Type};

/// Expressions of this type that need nothing; empty where none is known.
pub fn answers(output: &ReturnType) -> Vec<String> {
    match output {
        ReturnType::Default => vec![String::new()],
        ReturnType::Type(_, of) => values(of),
    }
}

fn values(of: &Type) -> Vec<String> {
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
    match of {
        Type::Tuple(tuple) if tuple.elems.is_empty() => texts(&["()"]),
        Type::Reference(reference) if reference.mutability.is_none() => match &*reference.elem {
            Type::Slice(_) => texts(&["&[]"]),
            Type::Path(path) if path.path.is_ident("str") => texts(&["\"\""]),
            _ => Vec::new(),
        },
        Type::Path(path) => {
            let Some(last) = path.path.segments.last() else { return Vec::new() };
            match last.ident.to_string().as_str() {
                "bool" => texts(&["true", "false"]),
                "Option" => texts(&["None"]),
                "Vec" => texts(&["Vec::new()"]),
                "String" => texts(&["String::new()"]),
                "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => texts(&["0", "1"]),
                "Result" => match first_argument(&last.arguments) {
                    Some(inner) => values(inner).iter().map(|value| format!("Ok({value})")).collect(),
                    None => Vec::new(),
                },
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

fn first_argument(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(of) => Some(of),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_replaced_by_what_its_type_allows() {
        let of = |text: &str| answers(&syn::parse_str(text).unwrap());
        assert_eq!(of(""), [""]);
        assert_eq!(of("-> Result<(), Error>"), ["Ok(())"]);
        assert_eq!(of("-> io::Result<bool>"), ["Ok(true)", "Ok(false)"]);
        assert_eq!(of("-> Result<Option<&'a Policy>, Error>"), ["Ok(None)"]);
        assert!(of("-> Self").is_empty());
        assert!(of("-> &mut [u8]").is_empty());
    }
}
