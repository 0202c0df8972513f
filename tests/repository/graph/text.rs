//! A source as the words that count: no comments, no literals, and nothing that is compiled for tests or fuzzing alone.

/// What begins an item that ends with a block or a semicolon.
const ITEMS: [&str; 14] = [
    "mod",
    "fn",
    "struct",
    "enum",
    "union",
    "impl",
    "trait",
    "use",
    "static",
    "const",
    "type",
    "extern",
    "let",
    "macro_rules",
];

/// One word or sign of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    Word(String),
    /// `::`
    Path,
    Sign(char),
    /// What an attribute gives as a string; other strings are left out.
    Text(String),
}

impl Token {
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found == word)
    }

    pub(crate) fn is_sign(&self, sign: char) -> bool {
        *self == Self::Sign(sign)
    }
}

/// The tokens of a source that are compiled into the crate itself.
pub(crate) fn read(source: &str) -> Vec<Token> {
    compiled(&tokens(source))
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn tokens(source: &str) -> Vec<Token> {
    let letters: Vec<char> = source.chars().collect();
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(&letter) = letters.get(at) {
        let next = letters.get(at + 1).copied();
        at = match (letter, next) {
            ('/', Some('/')) => end_of_line(&letters, at),
            ('/', Some('*')) => end_of_comment(&letters, at),
            ('"', _) => {
                let end = end_of_string(&letters, at + 1);
                found.push(Token::Text(letters[at + 1..end - 1].iter().collect()));
                end
            }
            ('\'', _) => end_of_quote(&letters, at),
            (':', Some(':')) => {
                found.push(Token::Path);
                at + 2
            }
            _ if is_word(letter) => {
                let end = (at..letters.len()).find(|end| !is_word(letters[*end])).unwrap_or(letters.len());
                let word: String = letters[at..end].iter().collect();
                match raw_string(&letters, &word, end) {
                    Some(end) => end,
                    // `b"…"` and `c"…"`: the string follows by itself.
                    None => {
                        found.push(Token::Word(word));
                        end
                    }
                }
            }
            _ => {
                if !letter.is_whitespace() {
                    found.push(Token::Sign(letter));
                }
                at + 1
            }
        };
    }
    found
}

fn end_of_line(letters: &[char], at: usize) -> usize {
    (at..letters.len()).find(|end| letters[*end] == '\n').unwrap_or(letters.len())
}

/// Comments nest.
fn end_of_comment(letters: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < letters.len() {
        let pair = (letters[at], letters.get(at + 1).copied().unwrap_or(' '));
        match pair {
            ('/', '*') => depth += 1,
            ('*', '/') => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Behind the closing sign of a string whose content begins at `at`.
fn end_of_string(letters: &[char], mut at: usize) -> usize {
    while at < letters.len() {
        match letters[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    panic!("a string does not end");
}

/// Behind a character, or behind the sign of a lifetime or label.
fn end_of_quote(letters: &[char], at: usize) -> usize {
    match (letters.get(at + 1), letters.get(at + 2)) {
        (Some('\\'), _) => (at + 3..letters.len()).find(|end| letters[*end] == '\'').expect("a character ends") + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}

/// Behind a raw string, where the word before it begins one.
fn raw_string(letters: &[char], word: &str, end: usize) -> Option<usize> {
    if !matches!(word, "r" | "br" | "cr") {
        return None;
    }
    let hashes = letters[end..].iter().take_while(|letter| **letter == '#').count();
    if letters.get(end + hashes) != Some(&'"') {
        return None;
    }
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let begin = end + hashes + 1;
    let length = letters[begin..].windows(closing.len()).position(|window| window == closing)?;
    Some(begin + length + closing.len())
}

/// Leaves out what a `cfg` keeps out of the crate itself.
fn compiled(tokens: &[Token]) -> Vec<Token> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        if tokens[at].is_sign('#') && tokens.get(at + 1).is_some_and(|token| token.is_sign('[')) {
            let end = end_of_group(tokens, at + 1);
            if is_left_out(&tokens[at + 2..end - 1]) {
                at = end_of_item(tokens, end);
                continue;
            }
        }
        found.push(tokens[at].clone());
        at += 1;
    }
    found
}

/// Behind the group that begins at `at`.
pub(crate) fn end_of_group(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (place, token) in tokens.iter().enumerate().skip(at) {
        if let Token::Sign(sign) = token {
            depth += match sign {
                '(' | '[' | '{' => 1,
                ')' | ']' | '}' => -1,
                _ => 0,
            };
        }
        if depth == 0 {
            return place + 1;
        }
    }
    tokens.len()
}

fn is_left_out(attribute: &[Token]) -> bool {
    match attribute {
        [name, rest @ ..] if name.is("cfg") && rest.len() > 2 => !holds(&rest[1..rest.len() - 1]),
        _ => false,
    }
}

/// Whether a condition can hold in the crate itself: it is neither a test nor fuzzed, and anything else may be.
fn holds(condition: &[Token]) -> bool {
    let [name, rest @ ..] = condition else { return true };
    let parts = || {
        let inside = &rest[1..rest.len() - 1];
        let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
        while at < inside.len() {
            if inside[at].is_sign(',') {
                parts.push(&inside[begin..at]);
                begin = at + 1;
            }
            at = if inside[at].is_sign('(') { end_of_group(inside, at) } else { at + 1 };
        }
        parts.push(&inside[begin..]);
        parts.retain(|part| !part.is_empty());
        parts
    };
    match name {
        Token::Word(name) if name == "all" => parts().into_iter().all(holds),
        Token::Word(name) if name == "any" => parts().into_iter().any(holds),
        // What is not so elsewhere may be so here.
        Token::Word(name) if name == "not" => true,
        Token::Word(name) => !matches!(name.as_str(), "test" | "fuzzing"),
        _ => true,
    }
}

/// Behind the item, field, arm or statement that begins at `at`, its further attributes included.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|token| token.is_sign('#')) {
        at = end_of_group(tokens, at + 1);
    }
    let head = || tokens[at..].iter().take_while(|token| !matches!(token, Token::Sign('{' | ';' | '=')));
    // The braces of an import do not end it, and the commas of an item are between its types.
    let is_import = head().any(|token| token.is("use"));
    let is_item = ITEMS.iter().any(|keyword| head().any(|token| token.is(keyword)));
    while at < tokens.len() {
        match &tokens[at] {
            Token::Sign(';') => return at + 1,
            Token::Sign(',') if !is_item => return at + 1,
            Token::Sign('}' | ')' | ']') => return at,
            Token::Sign('{') if !is_import => return end_of_group(tokens, at),
            Token::Sign('(' | '[' | '{') => at = end_of_group(tokens, at),
            _ => at += 1,
        }
    }
    at
}
