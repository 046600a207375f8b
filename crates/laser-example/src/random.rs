//! The program's only source of randomness: the same numbers on every machine and in every version.

/// SplitMix64 (Steele, Lea, Flood, 2014; constants of Vigna's reference program). Not for secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator whose numbers depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number, uniform over all of `u64`.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number uniform over `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        // The lowest 2^64 mod n numbers are refused: what is left divides evenly into n classes.
        let refused = n.wrapping_neg() % n;
        loop {
            let x = self.next_u64();
            if x >= refused {
                return x % n;
            }
        }
    }

    /// Puts `items` in an order uniform over all orders (Fisher-Yates, from the last place down).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1) as usize;
            items.swap(last, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_reference_program() {
        let mut random = SplitMix64::new(1_234_567);
        let numbers: Vec<u64> = (0..5).map(|_| random.next_u64()).collect();
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821,
            ]
        );
        assert_eq!(SplitMix64::new(0).next_u64(), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut random = SplitMix64::new(7);
        let mut seen = [0usize; 6];
        for _ in 0..6_000 {
            seen[random.below(6) as usize] += 1;
        }
        assert!(seen.iter().all(|&n| (850..1150).contains(&n)), "{seen:?}");
        assert_eq!(random.below(1), 0);
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn below_refuses_what_would_bias_it() {
        // With n = 2^63 + 1 nearly half of all numbers are refused; a plain remainder would return some below twice as often.
        let n = (1 << 63) + 1;
        let mut random = SplitMix64::new(1);
        let low = (0..10_000).filter(|_| random.below(n) < n / 2).count();
        assert!((4_800..5_200).contains(&low), "{low}");
    }

    #[test]
    fn shuffle_is_pinned() {
        let mut items: Vec<u32> = (0..10).collect();
        SplitMix64::new(0).shuffle(&mut items);
        assert_eq!(items, SHUFFLED_WITH_SEED_0);
        items.sort();
        assert_eq!(items, (0..10).collect::<Vec<u32>>());
        SplitMix64::new(0).shuffle::<u8>(&mut []);
    }

    // From an independent program in Python that follows the definitions above.
    const SHUFFLED_WITH_SEED_0: [u32; 10] = [6, 3, 2, 9, 8, 1, 4, 7, 0, 5];
}
