//! What a grammar asks when it makes an input.

use laser_example::SplitMix64;

/// Seeded choices that grow rarer: a grammar that asks them ends.
#[derive(Debug)]
pub struct Choices {
    random: SplitMix64,
    fuel: usize,
}

impl Choices {
    /// Choices that depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let fuel = 1 << random.below(11);
        Self { random, fuel }
    }

    /// A number below `n`, or 0 where there is none.
    pub fn below(&mut self, n: usize) -> usize {
        self.random.below(n as u64) as usize
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.random.next_u64()
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of `items`, of which there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of `n` rules, the first of which are leaves: of those alone once the input has grown.
    pub(crate) fn rule(&mut self, leaves: usize, n: usize) -> usize {
        self.fuel = self.fuel.saturating_sub(1);
        self.below(if self.fuel == 0 { leaves } else { n })
    }

    /// Whether there is more to come.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.fuel > 0 && !self.once_in(3)
    }

    /// How often something is repeated: mostly a few times, at times many.
    pub(crate) fn times(&mut self) -> usize {
        match self.below(12) {
            0 => 1 << self.below(16),
            1 => self.below(200),
            _ => self.below(4),
        }
    }

    /// A whole number, often one that is near a limit.
    pub(crate) fn integer(&mut self) -> i128 {
        let near = i128::from(self.below(3) as u8) - 1;
        match self.below(4) {
            0 => (1i128 << self.below(66)) + near,
            1 => -(1i128 << self.below(65)) + near,
            _ => self.below(40) as i128 - 4,
        }
    }

    /// A short text, at times an odd one.
    pub(crate) fn text(&mut self) -> String {
        const ODD: [&str; 16] = [
            "",
            "a",
            "question",
            "answer",
            "é",
            "\u{1f600}",
            "\u{0}",
            "\n",
            "\u{1b}[2J",
            " ",
            "0",
            "-1",
            "%s",
            "{{ x }}",
            "../../etc/passwd",
            "▁the",
        ];
        let (piece, times) = (*self.pick(&ODD), if self.once_in(4) { self.times().min(3000) } else { 1 });
        piece.repeat(times)
    }
}
