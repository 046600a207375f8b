//! Episodes to learn from, one JSON line each.

use crate::board::Level;
use crate::error::{Error, Result};
use crate::level_text::{picture, read_levels};
use crate::moves::{Move, moves_text, read_moves};
use serde::{Deserialize, Serialize};

/// A level as it was played.
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// The level.
    pub level: Level,
    /// The steps.
    pub steps: Vec<EpisodeStep>,
}

/// A step of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpisodeStep {
    /// The move that was made.
    pub played: Move,
    /// The move that the planner would make.
    pub planned: Move,
}

#[derive(Serialize, Deserialize)]
struct Line {
    level: String,
    played: String,
    planned: String,
}

/// An episode as a line of JSON, without its end.
pub fn episode_line(episode: &Episode) -> String {
    let line = Line {
        level: picture(&episode.level, &episode.level.start()),
        played: moves_text(episode.steps.iter().map(|step| step.played)),
        planned: moves_text(episode.steps.iter().map(|step| step.planned)),
    };
    serde_json::json!(line).to_string()
}

/// Reads a line of JSON.
///
/// # Errors
/// It is no episode.
pub fn read_episode(line: &str) -> Result<Episode> {
    let line: Line = serde_json::from_str(line).map_err(|error| Error::Episode { why: error.to_string() })?;
    let (played, planned) = (read_moves(&line.played)?, read_moves(&line.planned)?);
    let levels = read_levels(&line.level)?;
    if played.len() != planned.len() || levels.len() != 1 {
        return Err(Error::Episode { why: "it needs one level, and as many planned moves as played ones".to_owned() });
    }
    let steps = played.into_iter().zip(planned).map(|(played, planned)| EpisodeStep { played, planned });
    Ok(Episode { level: levels[0], steps: steps.collect() })
}
