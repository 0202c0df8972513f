//! Tells of most hashes that a transaction did not write that it did not, so that what is new is not searched for: bits, few of
//! them set. However many hashes come, it holds a few megabytes, because what the processor has at hand is looked at soonest.

/// Bits of each layer, as powers of two. A transaction of one answer gets along with the first.
const LAYERS: [u32; 3] = [18, 21, 24];
/// Bits of a word, as a power of two.
const WORD_POWER: u32 = 6;
/// A layer has one hash for so many bits before the next one begins; the last one takes all that come.
const BITS_A_HASH: usize = 32;

#[derive(Default)]
pub(super) struct Filter {
    layers: Vec<Layer>,
}

struct Layer {
    power: u32,
    words: Vec<u64>,
    hashes: usize,
}

impl Layer {
    /// Word of a hash, and its two bits in that: each a part of the hash, which is as good as chance.
    fn at(&self, hash: i64) -> (usize, u64) {
        let (word, rest) = (hash.cast_unsigned() >> (u64::BITS + WORD_POWER - self.power), hash.cast_unsigned());
        (word as usize, (1 << (rest % u64::from(u64::BITS))) | (1 << ((rest >> WORD_POWER) % u64::from(u64::BITS))))
    }

    fn is_full(&self) -> bool {
        self.hashes >= (1 << self.power) / BITS_A_HASH
    }
}

impl Filter {
    pub(super) fn insert(&mut self, hash: i64) {
        if self.layers.last().is_none_or(Layer::is_full)
            && let Some(power) = LAYERS.get(self.layers.len())
        {
            let words = vec![0; (1 << power) / u64::BITS as usize];
            self.layers.push(Layer { power: *power, words, hashes: 0 });
        }
        let Some(layer) = self.layers.last_mut() else { return };
        let (word, bits) = layer.at(hash);
        if let Some(word) = layer.words.get_mut(word) {
            *word |= bits;
        }
        layer.hashes += 1;
    }

    /// False if the hash was not inserted.
    pub(super) fn may_have(&self, hash: i64) -> bool {
        self.layers.iter().any(|layer| {
            let (word, bits) = layer.at(hash);
            layer.words.get(word).is_some_and(|word| word & bits == bits)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As good as chance, and the same in every run.
    fn hash(number: u64) -> i64 {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        (mixed ^ (mixed >> 32)).cast_signed()
    }

    #[test]
    fn what_was_inserted_is_never_missed_and_little_else_is_taken_for_it() {
        const ALL: u64 = 200_000;
        let mut filter = Filter::default();
        assert!(!filter.may_have(hash(0)));
        for number in 0..ALL {
            filter.insert(hash(number));
        }
        assert_eq!(filter.layers.len(), LAYERS.len());
        assert!((0..ALL).all(|number| filter.may_have(hash(number))));
        let wrong = (ALL..2 * ALL).filter(|number| filter.may_have(hash(*number))).count() as u64;
        assert!(wrong < ALL / 50, "{wrong}");
    }
}
