//! Cursors of pages, as far as they tell whether a service leads a device round in a circle.

/// Notices pages that go round in a circle, with one cursor in memory however many there are (R. P. Brent, "An improved
/// Monte Carlo factorization algorithm", 1980, section 2).
#[derive(Default)]
pub(super) struct Cursors {
    kept: Option<Vec<u8>>,
    seen: u32,
}

impl Cursors {
    /// False if `next` was seen before: by itself as the cursor `asked`, or within a circle, at the latest in its third round.
    pub(super) fn advance(&mut self, asked: Option<&[u8]>, next: &[u8]) -> bool {
        if asked == Some(next) || self.kept.as_deref() == Some(next) {
            return false;
        }
        self.seen += 1;
        if self.seen.is_power_of_two() {
            self.kept = Some(next.to_vec());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_that_go_round_in_a_circle_are_noticed_and_others_never() {
        for (start, length) in [(0_u32, 1_u32), (0, 2), (3, 1), (5, 7), (100, 100)] {
            let at = |step: u32| if step < start { step } else { start + (step - start) % length };
            let mut cursors = Cursors::default();
            let noticed = (1..).position(|step| {
                let (asked, next) = (at(step - 1).to_be_bytes(), at(step).to_be_bytes());
                !cursors.advance(Some(&asked), &next)
            });
            assert!(noticed.is_some_and(|step| step as u32 <= 3 * (start + length)), "{start} {length} {noticed:?}");
        }
        let mut cursors = Cursors::default();
        assert!((0..5000_u32).all(|step| cursors.advance(Some(&step.to_be_bytes()), &(step + 1).to_be_bytes())));
    }
}
