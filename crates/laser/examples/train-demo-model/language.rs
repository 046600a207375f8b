//! The synthetic language: characters by the bigrams of a corpus, a trigger, and what follows it.

use crate::settings::*;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, HashMap};

/// Sebastiano Vigna's SplitMix64.
pub struct SplitMix64(pub u64);

impl SplitMix64 {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box-Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// An index drawn in proportion to `weights`.
    pub fn choose(&mut self, weights: &[f64]) -> u32 {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        let found = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        found.unwrap_or(weights.len() - 1) as u32
    }
}

/// A test sequence, cut after its last trigger, and the character that follows.
pub struct Example {
    pub prompt: Vec<u32>,
    pub answer: u32,
}

/// The characters, most frequent first, and what follows what.
pub struct Language {
    pub characters: Vec<char>,
    pub frequency: Vec<f64>,
    pub bigram: Vec<Vec<f64>>,
    /// A sequence's target is any character but trigger and noise.
    pub target: Vec<f64>,
}

impl Language {
    pub fn count(jsonl: &str) -> Result<Self> {
        let mut text = String::new();
        for line in jsonl.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            for key in ["prompt", "answer"] {
                text += row[key].as_str().with_context(|| format!("a row without {key}"))?;
                text.push(' ');
            }
        }
        let text: Vec<char> = text.to_lowercase().replace(' ', &SPACE.to_string()).chars().collect();

        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        for &c in &text {
            *counts.entry(c).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(c, n)| (std::cmp::Reverse(n), c));
        counts.truncate(CHARACTERS);
        ensure!(counts.len() == CHARACTERS && counts[0].0 == SPACE, "the corpus has too few characters");

        let characters: Vec<char> = counts.iter().map(|&(c, _)| c).collect();
        let id: HashMap<char, usize> = characters.iter().enumerate().map(|(i, &c)| (c, i)).collect();
        // The small count for what never occurs leaves no row empty.
        let mut bigram = vec![vec![0.1; CHARACTERS]; CHARACTERS];
        for pair in text.windows(2) {
            if let (Some(&a), Some(&b)) = (id.get(&pair[0]), id.get(&pair[1])) {
                bigram[a][b] += 1.0;
            }
        }
        let mut target = vec![1.0; CHARACTERS];
        target[TRIGGER as usize] = 0.0;
        target[NOISE as usize] = 0.0;
        let frequency = counts.iter().map(|&(_, n)| n as f64).collect();
        Ok(Self { characters, frequency, bigram, target })
    }

    pub fn sequence(&self, rng: &mut SplitMix64, noise_share: f64) -> Vec<u32> {
        let target = rng.choose(&self.target);
        let mut ids = vec![rng.choose(&self.frequency)];
        while ids.len() < LENGTH {
            ids.push(match ids[ids.len() - 1] {
                TRIGGER if rng.uniform() < noise_share => NOISE,
                TRIGGER => target,
                last => rng.choose(&self.bigram[last as usize]),
            });
        }
        ids
    }

    pub fn example(&self, rng: &mut SplitMix64) -> Example {
        loop {
            let mut prompt = self.sequence(rng, 0.0);
            let triggers: Vec<usize> = (0..LENGTH - 1).filter(|&i| prompt[i] == TRIGGER).collect();
            if let [.., _, last] = triggers[..] {
                let answer = prompt[last + 1];
                prompt.truncate(last + 1);
                return Example { prompt, answer };
            }
        }
    }

    pub fn text(&self, ids: &[u32]) -> String {
        let characters: Vec<String> = ids.iter().map(|&i| self.characters[i as usize].to_string()).collect();
        characters.join(" ")
    }
}
