//! Python's `random.Random(seed).sample`, so that published few-shot numbers can be had again.

use std::collections::HashSet;

use rand_mt::Mt;

/// The numbers of Python's `random.Random`.
pub struct PythonRandom(Mt);

impl PythonRandom {
    /// Seeded by a small whole number.
    pub fn new(seed: u32) -> Self {
        Self(Mt::new_with_key([seed]))
    }

    /// `count` different places of `0..places`, in the order drawn; none if there are not so many.
    pub fn sample(&mut self, places: usize, count: usize) -> Option<Vec<usize>> {
        if count > places || u32::try_from(places).is_err() {
            return None;
        }
        // Where few of many are drawn, Python draws again what it has; else it swaps within a list.
        let mut listed = 21;
        if count > 5 {
            listed += 4usize.saturating_pow((count as f64 * 3.0).log(4.0).ceil() as u32);
        }
        let mut drawn = Vec::with_capacity(count);
        if places <= listed {
            let mut pool: Vec<usize> = (0..places).collect();
            for left in (places - count + 1..=places).rev() {
                let place = self.below(left);
                drawn.push(pool[place]);
                pool[place] = pool[left - 1];
            }
        } else {
            let mut seen = HashSet::new();
            while drawn.len() < count {
                let place = self.below(places);
                if seen.insert(place) {
                    drawn.push(place);
                }
            }
        }
        Some(drawn)
    }

    /// A number of `0..n`, for an `n` from 1 to 2^32 - 1.
    fn below(&mut self, n: usize) -> usize {
        let bits = usize::BITS - n.leading_zeros();
        loop {
            let number = (self.0.next_u32() >> (32 - bits)) as usize;
            if number < n {
                return number;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What CPython 3.11 gives: `r = random.Random(1234); r.sample(range(places), count)`, three times.
    #[test]
    fn samples_are_those_of_python() {
        let known: [(usize, usize, [&[usize]; 3]); 5] = [
            (10, 3, [&[7, 1, 0], &[1, 0, 9], &[1, 5, 3]]),
            (1000, 5, [&[989, 796, 451, 119, 7], &[92, 932, 965, 961, 826], &[596, 35, 687, 709, 85]]),
            (100, 6, [&[99, 56, 14, 0, 11, 74], &[4, 85, 88, 10, 12, 98], &[45, 30, 2, 3, 44, 82]]),
            (
                30,
                26,
                [
                    &[24, 14, 3, 0, 2, 18, 1, 21, 25, 27, 11, 7, 26, 17, 16, 5, 10, 9, 29, 12, 19, 22, 23, 13, 28, 15],
                    &[27, 0, 16, 15, 7, 2, 21, 17, 14, 24, 19, 20, 29, 1, 8, 13, 26, 22, 10, 4, 25, 5, 11, 12, 23, 6],
                    &[14, 28, 16, 21, 0, 27, 2, 25, 10, 4, 15, 12, 5, 1, 23, 9, 7, 19, 24, 8, 3, 18, 22, 26, 13, 20],
                ],
            ),
            (5000, 2, [&[3610, 957], &[61, 742], &[4769, 286]]),
        ];
        for (places, count, expected) in known {
            let mut random = PythonRandom::new(1234);
            for expected in expected {
                assert_eq!(random.sample(places, count).unwrap(), expected, "{count} of {places}");
            }
        }
    }

    #[test]
    fn no_more_than_there_are() {
        let mut random = PythonRandom::new(0);
        assert_eq!(random.sample(3, 4), None);
        assert!(random.sample(0, 0).unwrap().is_empty());
        let mut all = random.sample(40, 40).unwrap();
        all.sort_unstable();
        assert_eq!(all, (0..40).collect::<Vec<_>>());
    }
}
