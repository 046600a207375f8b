//! A search in parts: each part scores the candidates of some layers, perhaps on another machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The folder of a RUN folder that holds its shards.
pub(crate) const FOLDER: &str = "shards";

/// One of the parts of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Its number, from 1.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// Shard `index` of `of`, counted from 1; none where there is no such.
    pub fn new(index: usize, of: usize) -> Option<Self> {
        (1..=of).contains(&index).then_some(Self { index, of })
    }

    /// Its layers of `all`, ascending ones of a model that has `count`: consecutive ones, so that all shards have about as much to
    /// do. A candidate of layer l takes a pass through the layers from l on. None where there are more shards than layers.
    pub fn layers(self, all: &[usize], count: usize) -> &[usize] {
        let work = |layers: &[usize]| layers.iter().map(|&layer| (count - layer.min(count)) as u128).sum::<u128>();
        let end = |index: usize| {
            let enough = |&end: &usize| work(&all[..end]) * self.of as u128 >= work(all) * index as u128;
            let end = (0..=all.len()).find(enough).unwrap_or(all.len());
            // Each has one at least.
            end.min(all.len().saturating_sub(self.of - index)).max(index.min(all.len()))
        };
        if self.of > all.len() {
            return &[];
        }
        &all[end(self.index - 1)..end(self.index)]
    }

    /// Its own RUN folder in the RUN folder `run`.
    pub fn folder(self, run: &Path) -> PathBuf {
        run.join(FOLDER).join(format!("{}-of-{}", self.index, self.of))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        numbers
            .and_then(|(index, of)| Self::new(index, of))
            .ok_or_else(|| format!("`{text}` is not a shard: write 2/4 for the second of four"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_is_in_one_shard_and_all_have_about_as_much_to_do() {
        let all: Vec<usize> = (0..30).collect();
        for of in [1, 2, 4, 7, 29, 30] {
            let parts: Vec<&[usize]> = (1..=of).map(|index| Shard::new(index, of).unwrap().layers(&all, 30)).collect();
            assert_eq!(parts.concat(), all);
            assert!(parts.iter().all(|part| !part.is_empty()), "{parts:?}");
        }
        let parts: Vec<usize> = (1..=4).map(|index| Shard::new(index, 4).unwrap().layers(&all, 30).len()).collect();
        assert_eq!(parts, [5, 4, 7, 14]);
        assert_eq!(Shard::new(1, 31).unwrap().layers(&all, 30), [0usize; 0]);
        assert_eq!(Shard::new(2, 2).unwrap().layers(&[3, 29], 30), [29]);
    }

    #[test]
    fn shards_are_written_as_a_fraction() {
        assert_eq!("2/4".parse(), Ok(Shard { index: 2, of: 4 }));
        for text in ["0/4", "5/4", "2", "2/", "a/b", "1/0", "-1/2"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert_eq!(error, format!("`{text}` is not a shard: write 2/4 for the second of four"));
        }
    }
}
