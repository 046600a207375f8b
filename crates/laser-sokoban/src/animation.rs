//! Episodes side by side as an animated picture (SVG with SMIL, no script).

use crate::board::Level;
use crate::cells::SIDE;
use crate::game::Game;
use crate::moves::Move;
use std::fmt::Write;

const CELL: usize = 24;
const GAP: usize = 16;
const TITLE: usize = 40;
/// Seconds of a step, and of the pause at the end.
const STEP: f64 = 0.18;
const PAUSE: f64 = 1.5;

/// Episodes of levels side by side, played at the same time and over and over; each has a title.
pub fn animation(episodes: &[(String, Level, Vec<Move>)]) -> String {
    let side = SIDE * CELL;
    let width = episodes.len() * (side + GAP) + GAP;
    let height = side + TITLE + GAP;
    let longest = episodes.iter().map(|(_, _, moves)| moves.len()).max().unwrap_or(0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for (number, (title, level, moves)) in episodes.iter().enumerate() {
        let _ = writeln!(svg, "<g transform=\"translate({} {TITLE})\">", GAP + number * (side + GAP));
        panel(&mut svg, title, level, moves, longest);
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, title: &str, level: &Level, moves: &[Move], longest: usize) {
    let side = SIDE * CELL;
    let _ = writeln!(svg, "<text y=\"-12\" fill=\"#222222\">{}</text>", escaped(title));
    let _ = writeln!(svg, "<rect width=\"{side}\" height=\"{side}\" fill=\"#f3efe6\"/>");
    for wall in level.walls().iter() {
        let (x, y) = corner(wall);
        let _ = writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"#5b6470\"/>");
    }
    let (player, boxes) = tracks(level, moves);
    for track in &boxes {
        let shape = format!(
            "<rect x=\"3\" y=\"3\" width=\"{inner}\" height=\"{inner}\" rx=\"3\" fill=\"#c98b3c\" stroke=\"#7a5220\"/>",
            inner = CELL - 6
        );
        moving(svg, &shape, track, longest);
    }
    // Above the boxes, so that it is seen which stand right.
    for target in level.targets().iter() {
        let (x, y) = corner(target);
        let (x, y) = (x + CELL / 2, y + CELL / 2);
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"4\" fill=\"#c0392b\"/>");
    }
    let half = CELL / 2;
    moving(svg, &format!("<circle cx=\"{half}\" cy=\"{half}\" r=\"8\" fill=\"#2e6fb7\"/>"), &player, longest);
}

/// The cells of the player and of each box, before each step and at the end.
fn tracks(level: &Level, moves: &[Move]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut game = Game::new(*level);
    let mut player = vec![level.start().player];
    let mut boxes: Vec<Vec<u8>> = level.start().boxes.iter().map(|cell| vec![cell]).collect();
    for &towards in moves {
        let before = game.state().boxes;
        game.step(towards);
        let after = game.state().boxes;
        player.push(game.state().player);
        for track in &mut boxes {
            let cell = track[track.len() - 1];
            let pushed = after.minus(before).iter().next().filter(|_| !after.has(cell));
            track.push(pushed.unwrap_or(cell));
        }
    }
    (player, boxes)
}

/// A shape that jumps from cell to cell; what never moves stands still.
fn moving(svg: &mut String, shape: &str, track: &[u8], longest: usize) {
    let (x, y) = corner(track[0]);
    let _ = write!(svg, "<g transform=\"translate({x} {y})\">{shape}");
    if track.iter().any(|cell| *cell != track[0]) {
        let seconds = longest as f64 * STEP + PAUSE;
        let (mut values, mut times) = (format!("{x} {y}"), "0".to_owned());
        for (step, pair) in track.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]) {
            let (x, y) = corner(pair[1]);
            let _ = write!(values, ";{x} {y}");
            let _ = write!(times, ";{:.5}", (step + 1) as f64 * STEP / seconds);
        }
        let _ = write!(
            svg,
            "<animateTransform attributeName=\"transform\" type=\"translate\" calcMode=\"discrete\" \
             dur=\"{seconds:.2}s\" repeatCount=\"indefinite\" keyTimes=\"{times}\" values=\"{values}\"/>"
        );
    }
    svg.push_str("</g>\n");
}

fn corner(cell: u8) -> (usize, usize) {
    (cell as usize % SIDE * CELL, cell as usize / SIDE * CELL)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
