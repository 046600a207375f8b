//! The rules, levels, planner and expert, on levels of our own generator.

use laser_sokoban::*;
use proptest::prelude::*;

fn level(seed: u64) -> Level {
    Generator::default().level(seed)
}

fn played(level: &Level, moves: &[Move]) -> Game {
    let mut game = Game::new(*level);
    for &towards in moves {
        assert!(!game.is_done());
        game.step(towards);
    }
    game
}

fn solution(level: &Level, planner: Planner) -> Option<Vec<Move>> {
    match planner.plan(level) {
        Plan::Solved(solution) => Some(solution.moves),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(seeds in prop::collection::vec(any::<u64>(), 1..5)) {
        let levels: Vec<Level> = seeds.into_iter().map(level).collect();
        prop_assert_eq!(read_levels(&write_levels(&levels)).unwrap(), levels);
    }

    #[test]
    fn any_text_is_a_level_or_an_error(text in "[#. $@*+;\\n0-9]{0,300}") {
        let _ = read_levels(&text);
    }

    #[test]
    fn boxes_never_vanish_and_rewards_add_up(seed in any::<u64>(), moves in prop::collection::vec(0usize..4, 0..150)) {
        let level = level(seed);
        let (mut game, mut total) = (Game::new(level), 0.0);
        for towards in moves {
            if game.is_done() {
                break;
            }
            let step = game.step(Move::ALL[towards]);
            total += step.reward;
            prop_assert_eq!(step.done, game.is_solved() || game.steps() == MAX_STEPS);
            prop_assert!(level.from_state(*game.state()).is_ok());
        }
        prop_assert_eq!(game.total(), total);
    }

    #[test]
    fn plans_solve_and_symmetries_keep_that(seed in any::<u64>(), symmetry in 0u64..8) {
        let level = level(seed);
        if let Some(moves) = solution(&level, Planner { weight: 3, nodes: 20_000 }) {
            let mut state = level;
            for &towards in &moves {
                let mut game = Game::new(state);
                game.step(towards);
                state = state.from_state(*game.state()).unwrap();
            }
            prop_assert!(level.is_solved(&state.start()));
            let symmetry = Symmetry::new(symmetry);
            let turned: Vec<Move> = moves.iter().map(|&towards| symmetry.of_move(towards)).collect();
            if turned.len() <= MAX_STEPS {
                prop_assert!(played(&symmetry.level(&level), &turned).is_solved());
            }
        }
    }
}

#[test]
fn the_shortest_solution_is_found_whatever_else_is_tried() {
    // Breadth-first search over single moves, which knows nothing of pushes, on rooms small enough
    // for it.
    let generator = Generator { boxes: 2, walk: 12, ..Generator::default() };
    for level in generate_levels(&generator, 3, 40) {
        let mut seen = std::collections::HashSet::from([level.start()]);
        let mut layer = vec![level.start()];
        let mut shortest = 0;
        while !layer.iter().any(|state| level.is_solved(state)) {
            let mut next = Vec::new();
            for state in layer {
                for towards in Move::ALL {
                    let mut game = Game::new(level.from_state(state).unwrap());
                    game.step(towards);
                    if seen.insert(*game.state()) {
                        next.push(*game.state());
                    }
                }
            }
            layer = next;
            shortest += 1;
        }
        let best = solution(&level, Planner { weight: 1, nodes: 1_000_000 }).unwrap();
        assert_eq!(best.len(), shortest);
        let fast = solution(&level, Planner::default()).unwrap();
        assert!(fast.len() >= shortest && fast.len() <= 2 * shortest);
    }
}

#[test]
fn a_level_without_a_solution_is_known() {
    let text = "##########\n#@ $     #\n# .      #\n".to_owned() + &"#        #\n".repeat(6) + "##########\n";
    let level = read_levels(&text).unwrap()[0];
    assert_eq!(Planner::default().plan(&level), Plan::Unsolvable);
}

#[test]
fn generated_levels_depend_on_the_seed_alone_and_can_be_solved() {
    let levels = generate_levels(&Generator::default(), 7, 60);
    assert_eq!(levels, generate_levels(&Generator::default(), 7, 60));
    assert_ne!(levels, generate_levels(&Generator::default(), 8, 60));
    let solved = levels.iter().filter(|level| solution(level, Planner::default()).is_some()).count();
    assert!(solved >= 58, "{solved}");
    for level in levels {
        assert!(level.start().boxes.and(level.targets()).is_empty());
        assert_eq!(level.targets().count(), 4);
    }
}

#[test]
fn episodes_solve_their_levels_and_deviate() {
    let levels = generate_levels(&Generator::default(), 11, 40);
    let expert = Expert::new(ExpertOptions::default(), 5);
    let episodes = expert.episodes(&levels, || ());
    assert!(episodes.len() >= 35);
    let mut deviations = 0;
    for episode in &episodes {
        let moves: Vec<Move> = episode.steps.iter().map(|step| step.played).collect();
        assert!(played(&episode.level, &moves).is_solved());
        deviations += episode.steps.iter().filter(|step| step.played != step.planned).count();
        assert_eq!(&read_episode(&episode_line(episode)).unwrap(), episode);
    }
    assert!(deviations > 20, "{deviations}");
    assert_eq!(episodes, expert.episodes(&levels, || ()));
}

#[test]
fn flaws_are_told_with_their_place() {
    let good = "; 0\n##########\n#@ $.    #\n".to_owned() + &"#        #\n".repeat(7) + "##########\n";
    let told = |text: &str| read_levels(text).unwrap_err().to_string();
    assert_eq!(told(&(good.clone() + "; 1\n####\n")), "level 1 (line 13): it has 1 rows, not 10");
    assert!(told(&good.replace('@', " ")).ends_with("it has 0 players, not one"));
    assert!(told(&good.replacen('$', "x", 1)).contains("which is none of"));
    assert!(told(&good.replacen("##########", " #########", 1)).ends_with("is not all wall"));
    assert!(told("").starts_with("it holds no level"));
}

#[test]
fn an_animation_has_every_step_of_what_moves() {
    let level = level(2);
    let moves = solution(&level, Planner::default()).unwrap();
    let svg = animation(&[("base <1>".to_owned(), level, moves.clone()), ("edited".to_owned(), level, vec![])]);
    assert!(svg.contains("base &lt;1&gt;"));
    // The player moves at each step of a solution.
    let player = svg.split("values=\"").skip(1).map(|it| it.split('"').next().unwrap().matches(';').count()).max();
    assert_eq!(player, Some(moves.len()));
}
