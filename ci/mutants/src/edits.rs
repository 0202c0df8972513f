//! Text put into a source file around and between what stands there, and where it ends up. Nothing of the file is taken out.

use std::cmp::Reverse;
use std::ops::Range;

/// A place of a file where text is put in; the order of the fields is that of insertions in the file.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    at: usize,
    /// What ends here comes before what begins here.
    step: Step,
    number: Reverse<usize>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// The end of something this long: the inner one ends first.
    End(usize),
    Between,
    /// The begin of something this long: the outer one begins first.
    Begin(Reverse<usize>),
}

#[derive(Debug)]
struct Insertion {
    order: Order,
    text: String,
    points: Vec<usize>,
}

/// All insertions of one file.
#[derive(Debug, Default)]
pub struct Edits {
    insertions: Vec<Insertion>,
    number: usize,
    /// See [`Rewritten::functions`].
    pub functions: Vec<(Range<usize>, String)>,
}

/// Inserted text in the new file, and whose it is.
#[derive(Debug)]
pub struct Piece {
    /// Where it stands.
    pub range: Range<usize>,
    /// Indices of the points that need it.
    pub points: Vec<usize>,
}

/// A file with its insertions.
#[derive(Debug)]
pub struct Rewritten {
    /// The file.
    pub text: String,
    /// What was inserted, by place.
    pub pieces: Vec<Piece>,
    /// Functions by their place in the file as it was; those inside of others come later.
    pub functions: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Puts text in front of and behind a range. Of equal ranges, the one that came first is outside.
    pub fn around(&mut self, range: Range<usize>, before: String, after: String, points: &[usize]) {
        self.number += 1;
        let begin = Order {
            at: range.start,
            step: Step::Begin(Reverse(range.len())),
            number: Reverse(usize::MAX - self.number),
        };
        let end = Order { at: range.end, step: Step::End(range.len()), number: Reverse(self.number) };
        for (order, text) in [(begin, before), (end, after)] {
            self.insertions.push(Insertion { order, text, points: points.to_vec() });
        }
    }

    /// Puts text at one place, behind what ends and before what begins there.
    pub fn at(&mut self, at: usize, text: String, points: &[usize]) {
        self.number += 1;
        let order = Order { at, step: Step::Between, number: Reverse(usize::MAX - self.number) };
        self.insertions.push(Insertion { order, text, points: points.to_vec() });
    }

    /// The file with everything inserted.
    pub fn apply(mut self, source: &str) -> Rewritten {
        self.insertions.sort_by(|one, other| one.order.cmp(&other.order));
        let (mut text, mut pieces, mut copied) = (String::new(), Vec::new(), 0);
        for Insertion { order, text: inserted, points } in self.insertions {
            text.push_str(source.get(copied..order.at).unwrap_or_default());
            copied = order.at;
            let begin = text.len();
            text.push_str(&inserted);
            pieces.push(Piece { range: begin..text.len(), points });
        }
        text.push_str(source.get(copied..).unwrap_or_default());
        Rewritten { text, pieces, functions: self.functions }
    }
}

impl Rewritten {
    /// The points to blame for a fault in this range of the new file: those whose text begins it or holds its begin, else the
    /// innermost one around it.
    pub fn blamed(&self, fault: &Range<usize>) -> Vec<usize> {
        let at_begin = |piece: &&Piece| piece.range.contains(&fault.start);
        if let Some(piece) = self.pieces.iter().find(at_begin) {
            return piece.points.clone();
        }
        let around = |points: &[usize]| {
            let mut own = self.pieces.iter().filter(|piece| piece.points == points).map(|piece| &piece.range);
            let first = own.next()?;
            let last = own.next_back().unwrap_or(first);
            (first.end <= fault.start && fault.end <= last.start).then(|| last.start - first.end)
        };
        let innermost = self.pieces.iter().filter_map(|piece| Some((around(&piece.points)?, &piece.points))).min();
        innermost.map(|(_, points)| points.clone()).unwrap_or_default()
    }

    /// The innermost function around a place of the new file.
    pub fn function_at(&self, at: usize) -> Option<&String> {
        let before = self.pieces.iter().filter(|piece| piece.range.end <= at).map(|piece| piece.range.len());
        let at = at.checked_sub(before.sum())?;
        self.functions.iter().rfind(|(range, _)| range.contains(&at)).map(|(_, name)| name)
    }

    /// The points with text on the lines of this range.
    pub fn on_lines(&self, fault: &Range<usize>) -> Vec<usize> {
        let line = |at: usize| self.text.get(..at).map_or(0, |before| before.matches('\n').count());
        let lines = line(fault.start)..=line(fault.end);
        let on_lines = self.pieces.iter().filter(|piece| lines.contains(&line(piece.range.start)));
        on_lines.flat_map(|piece| piece.points.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_stays_inside() {
        let mut edits = Edits::default();
        edits.around(0..5, "<".into(), ">".into(), &[1]);
        edits.around(0..1, "(".into(), ")".into(), &[2]);
        edits.around(4..5, "[".into(), "]".into(), &[3]);
        edits.around(0..5, "{".into(), "}".into(), &[4]);
        edits.at(0, "!".into(), &[5]);
        let rewritten = edits.apply("a + b");
        assert_eq!(rewritten.text, "!<{(a) + [b]}>");
        assert_eq!(rewritten.blamed(&(4..5)), [2]);
        assert_eq!(rewritten.blamed(&(7..8)), [4], "the innermost around the operator");
        assert_eq!(rewritten.blamed(&(1..13)), [1]);
    }
}
