//! Walks as a reference in Python and gym-sokoban's own environment play them
//! (`interop/sokoban_rules.py` says how the file is made).

use laser_sokoban::{Game, picture, read_levels, read_moves};
use serde_json::Value;

#[test]
fn boards_rewards_and_ends_are_those_of_gym_sokoban() {
    let golden = include_str!("../../../tests/fixtures/sokoban/walks.jsonl");
    let mut solved = 0;
    for line in golden.lines() {
        let walk: Value = serde_json::from_str(line).unwrap();
        let level = read_levels(walk["level"].as_str().unwrap()).unwrap()[0];
        let mut game = Game::new(level);
        let mut rewards = Vec::new();
        for towards in read_moves(walk["moves"].as_str().unwrap()).unwrap() {
            assert!(!game.is_done());
            rewards.push(game.step(towards).reward);
        }
        assert_eq!(Value::from(rewards), walk["rewards"]);
        assert_eq!(walk["board"], picture(&level, game.state()));
        assert_eq!(walk["done"], game.is_done());
        solved += usize::from(game.is_solved());
    }
    assert!(golden.lines().count() == 24 && solved >= 10);
}
