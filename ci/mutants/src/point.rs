//! What can be mutated: one change of one place, its number in the built programs and the words that name it.

use std::fmt;

/// How many changes a file can have: the low bits of a number.
pub const PER_FILE: u32 = 1 << 12;

/// One change.
#[derive(Debug, Clone)]
pub struct Point {
    /// As the built programs know it.
    pub number: u32,
    /// For the reader; it is not part of the name.
    pub line: usize,
    /// What names it.
    pub name: Name,
}

/// Names a change for as long as the code around it moves and the code itself stays.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// From the root of the repository.
    pub file: String,
    /// With the type it belongs to.
    pub function: String,
    /// On one line.
    pub original: String,
    /// On one line.
    pub mutant: String,
    /// Counts changes that are alike in one function, from 1.
    pub which: usize,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mutant = if self.mutant.is_empty() { "nothing" } else { &self.mutant };
        write!(f, "{} {}: {} → {mutant}", self.file, self.function, self.original)?;
        if self.which > 1 { write!(f, " #{}", self.which) } else { Ok(()) }
    }
}

/// A text on one line, with single blanks.
pub fn on_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first number of each file: a file keeps its numbers when others come and go, unless two names fall together.
pub fn first_numbers(files: &[String]) -> Vec<u32> {
    let slots = (1 << 24) / PER_FILE;
    let mut taken = vec![false; slots as usize];
    // The first slot would hold 0, which is no mutant.
    taken[0] = true;
    let mut numbers = Vec::new();
    for file in files {
        let hash = file.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let mut slot = hash % slots;
        while std::mem::replace(&mut taken[slot as usize], true) {
            slot = (slot + 1) % slots;
        }
        numbers.push(slot * PER_FILE);
    }
    numbers
}
