//! Boxoban's text format: a line `; NUMBER`, then ten rows of ten characters.
//!
//! `#` wall, space floor, `.` target, `$` box, `@` player, `*` box on a target, `+` player on a
//! target.

use crate::board::{Level, State};
use crate::cells::{CELLS, Cells, SIDE};
use crate::error::{Error, Result};
use crate::flaw::Flaw;

/// Reads all levels of a text.
///
/// # Errors
/// A level has a flaw, or there is none.
pub fn read_levels(text: &str) -> Result<Vec<Level>> {
    let mut levels = Vec::new();
    let mut rows: Vec<(usize, &str)> = Vec::new();
    let lines = text.lines().map(|line| line.strip_suffix('\r').unwrap_or(line));
    for (number, line) in lines.enumerate().chain([(0, "")]) {
        let ends = line.is_empty() || line.starts_with(';');
        if !ends {
            rows.push((number, line));
        } else if let Some(&(first, _)) = rows.first() {
            let of_level: Vec<&str> = rows.iter().map(|(_, row)| *row).collect();
            let flaw = |flaw| Error::Level { level: levels.len(), line: first + 1, flaw };
            let level = read_level(&of_level).map_err(flaw)?;
            levels.push(level);
            rows.clear();
        }
    }
    if levels.is_empty() { Err(Error::NoLevel) } else { Ok(levels) }
}

fn read_level(rows: &[&str]) -> Result<Level, Flaw> {
    if rows.len() != SIDE {
        return Err(Flaw::Rows(rows.len()));
    }
    let (mut walls, mut targets, mut boxes, mut players) = (Cells::EMPTY, Cells::EMPTY, Cells::EMPTY, Cells::EMPTY);
    for (number, row) in rows.iter().enumerate() {
        let columns = row.chars().count();
        if columns != SIDE {
            return Err(Flaw::Columns(number, columns));
        }
        for (column, character) in row.chars().enumerate() {
            let cell = Cells::one((number * SIDE + column) as u8);
            let kinds: &mut [&mut Cells] = match character {
                ' ' => &mut [],
                '#' => &mut [&mut walls],
                '.' => &mut [&mut targets],
                '$' => &mut [&mut boxes],
                '@' => &mut [&mut players],
                '*' => &mut [&mut targets, &mut boxes],
                '+' => &mut [&mut targets, &mut players],
                other => return Err(Flaw::Character(number, other)),
            };
            kinds.iter_mut().for_each(|kind| **kind = kind.or(cell));
        }
    }
    match (players.iter().next(), players.count()) {
        (Some(player), 1) => Level::new(walls, targets, State { boxes, player }),
        (_, count) => Err(Flaw::Players(count)),
    }
}

/// The ten rows of a state of a level.
pub fn picture(level: &Level, state: &State) -> String {
    let character = |cell: u8| match (level.targets().has(cell), state.boxes.has(cell), state.player == cell) {
        (false, false, false) if level.walls().has(cell) => '#',
        (false, false, false) => ' ',
        (true, false, false) => '.',
        (false, true, _) => '$',
        (true, true, _) => '*',
        (false, false, true) => '@',
        (true, false, true) => '+',
    };
    let mut text = String::with_capacity(SIDE * (SIDE + 1));
    for cell in 0..CELLS as u8 {
        text.push(character(cell));
        if (cell as usize + 1).is_multiple_of(SIDE) {
            text.push('\n');
        }
    }
    text
}

/// Levels as text, numbered from 0.
pub fn write_levels<'a>(levels: impl IntoIterator<Item = &'a Level>) -> String {
    let one = |(number, level): (usize, &Level)| format!("; {number}\n{}\n", picture(level, &level.start()));
    levels.into_iter().enumerate().map(one).collect()
}
