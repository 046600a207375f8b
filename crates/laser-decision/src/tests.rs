//! Training, files and rollouts of a tiny model on levels of our own generator.

use crate::decision_shape::DecisionShape;
use crate::episode_scorer::{EpisodeScorer, EpisodeWorth, play_edited};
use crate::episodes_verdict::{EpisodesVerdict, mcnemar_power};
use crate::move_choice::MoveChoice;
use crate::named_tensors::NamedTensors;
use crate::policy::Policy;
use crate::trainable::Trainable;
use crate::training::{Training, TrainingOptions, TrainingStep};
use crate::training_windows::Teacher;
use laser_edit::{Candidate, InterventionSpec};
use laser_kernels::Cpu;
use laser_run::{Batch, Scorer, Silent, SplitName};
use laser_sokoban::{Expert, ExpertOptions, Game, Generator, Level, Move, generate_levels, read_levels, read_moves};
use std::collections::HashMap;
use std::path::Path;

const TINY: DecisionShape = DecisionShape { hidden: 16, layers: 2, heads: 2, context: 3, channels: 4, pairs: 1 };

fn options(steps: usize) -> TrainingOptions {
    TrainingOptions { shape: TINY, windows: 8, steps, ..TrainingOptions::default() }
}

fn levels() -> Vec<Level> {
    generate_levels(&Generator::default(), 1, 12)
}

fn teacher() -> Teacher {
    Teacher::new(Expert::new(ExpertOptions::default(), 1).episodes(&levels(), || ()), TINY.context).unwrap()
}

fn train(folder: &Path, steps: usize, until: usize) -> Result<(), crate::Error> {
    let teacher = teacher();
    let mut training = Training::open(folder, options(steps), &teacher)?;
    training.run(&teacher, 1, |step| match step.step == until {
        true => Err(crate::Error::Diverged(0)),
        false => Ok(()),
    })
}

fn file(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

#[test]
fn a_killed_training_ends_with_the_same_bytes() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(whole.path(), 4, usize::MAX).unwrap();
    // The second and the fourth step are done, and not kept.
    for until in [2, 4] {
        assert!(train(parts.path(), 4, until).is_err());
    }
    train(parts.path(), 4, usize::MAX).unwrap();
    for name in ["model.safetensors", "config.json"] {
        assert!(file(whole.path(), name) == file(parts.path(), name), "{name}");
    }
    let kept = |folder: &Path| NamedTensors::read(&folder.join("training.safetensors")).unwrap();
    assert_eq!(kept(whole.path()), kept(parts.path()));
    // A model that no training left is not overwritten.
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("model.safetensors"), "precious").unwrap();
    let refused = train(other.path(), 4, usize::MAX).unwrap_err().to_string();
    assert!(refused.ends_with("it is there already, and no training wrote it: give a new folder"), "{refused}");
    assert_eq!(file(other.path(), "model.safetensors"), b"precious");
    // Nor do two train in one folder at once, where folders can be locked.
    if cfg!(unix) {
        let _running = Training::open(parts.path(), options(4), &teacher()).unwrap();
        let refused = train(parts.path(), 4, usize::MAX).unwrap_err().to_string();
        assert!(
            refused.ends_with("another training runs in it: wait for its end, or give another folder"),
            "{refused}"
        );
    }
    // Another training does not go on there.
    let other = TrainingOptions { seed: 9, ..options(4) };
    let error = Training::open(parts.path(), other, &teacher()).unwrap_err();
    assert!(error.to_string().contains("a training with other options"), "{error}");
}

#[test]
fn a_model_learns_what_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let teacher = teacher();
    let mut training = Training::open(folder.path(), TrainingOptions { rate: 3e-3, ..options(120) }, &teacher).unwrap();
    let mut losses = Vec::new();
    let note = |step: TrainingStep| {
        losses.push(step.loss + step.plan);
        Ok(())
    };
    training.run(&teacher, 1_000, note).unwrap();
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    assert!(mean(&losses[100..]) < 0.75 * mean(&losses[..5]), "{losses:?}");
}

#[test]
fn the_policy_computes_what_was_trained() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 2, usize::MAX).unwrap();
    let policy = Policy::open(folder.path(), &Cpu).unwrap();
    let teacher = teacher();
    let training = Training::open(folder.path(), options(2), &teacher).unwrap();
    let trained = Trainable::new(TINY, training.weights()).unwrap();
    let mut compared = 0;
    for (level, moves, windows) in teacher.first_windows() {
        let features = trained.features(&windows, TINY.context).unwrap();
        let expected = trained.logits(&windows, &features).unwrap().to_vec2::<f32>().unwrap();
        for (step, expected) in expected.iter().enumerate() {
            let (_, found) = policy.look(&level, &moves[..step]).unwrap();
            for (a, b) in expected.iter().zip(&found) {
                assert!((a - b).abs() < 1e-4, "{expected:?} {found:?}");
            }
            compared += 1;
        }
    }
    assert!(compared >= 30);
}

#[test]
fn episodes_do_not_depend_on_what_else_is_played() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 2, usize::MAX).unwrap();
    for choice in [MoveChoice::Untried, MoveChoice::Likeliest] {
        compare_episodes(&Policy::open(folder.path(), &Cpu).unwrap().choosing(choice));
    }
}

fn compare_episodes(policy: &Policy) {
    let specs: [&[&str]; 4] = [&[], &["0.fc_in:0.2"], &["1.q_proj:0.2"], &["0.v_proj:0.1", "1.fc_out:zero"]];
    let candidate = |specs: &&[&str]| {
        let specs: Vec<InterventionSpec> = specs.iter().map(|spec| spec.parse().unwrap()).collect();
        Candidate::new(InterventionSpec::expand_all(&specs, policy.model().config()).unwrap()).unwrap()
    };
    let candidates: Vec<Candidate> = specs.iter().map(candidate).collect();
    let levels = levels();
    let all: Vec<&Candidate> = candidates.iter().collect();
    for worth in [EpisodeWorth::Solved, EpisodeWorth::Return] {
        let mut scorer = EpisodeScorer::new(policy, worth, [levels.clone(), Vec::new()]);
        let batch = Batch { candidates: &all, split: SplitName::Validation, examples: None, exact: false };
        let mut reported = vec![None; all.len()];
        let mut report = |number: usize, results: Vec<laser_run::ExampleResult>| {
            reported[number] = Some(results.iter().map(|it| it.value).collect::<Vec<f64>>());
            Ok(())
        };
        scorer.score(&batch, &Silent, &mut report).unwrap();
        for (candidate, reported) in candidates.iter().zip(reported) {
            let alone = levels.iter().map(|level| {
                let played = play_edited(policy, candidate, std::slice::from_ref(level)).unwrap();
                worth.of(&played[0])
            });
            assert_eq!(reported.unwrap(), alone.collect::<Vec<f64>>(), "{candidate}");
        }
    }
    // The same moves one by one, without what was computed before.
    let played = &play_edited(policy, &candidates[0], &levels[..2]).unwrap()[1];
    let (mut game, mut made) = (Game::new(levels[1]), HashMap::new());
    for (step, &towards) in played.moves.iter().enumerate() {
        let made: &mut Vec<Move> = made.entry(*game.state()).or_default();
        if made.len() == Move::ALL.len() || policy.move_choice() == MoveChoice::Likeliest {
            made.clear();
        }
        if [0, 1, 2, 7, 40, 119].contains(&step) {
            let (_, logits) = policy.look(&levels[1], &played.moves[..step]).unwrap();
            let mut others = Move::ALL.into_iter().filter(|it| !made.contains(it));
            assert!(others.all(|it| logits[it as usize] <= logits[towards as usize]), "step {step}");
            assert!(!made.contains(&towards));
        }
        made.push(towards);
        game.step(towards);
    }
}

#[test]
fn both_tests_see_what_changed() {
    let base: Vec<(bool, f64)> = (0..300).map(|i| (i < 152, if i < 152 { 9.0 } else { -11.0 })).collect();
    let mut edited = base.clone();
    edited[152..160].fill((true, 8.0));
    edited[0] = (false, -12.0);
    let verdict = EpisodesVerdict::new(&base, &edited, 1);
    assert_eq!((verdict.solved, verdict.gained, verdict.lost), ([152, 159], 8, 1));
    // Twice the tail of Binomial(9, 1/2) from 8 on: 20 / 512.
    assert!((verdict.solved_p - 20.0 / 512.0).abs() < 1e-12);
    assert!((verdict.difference - (8.0 * 19.0 - 21.0) / 300.0).abs() < 1e-9);
    assert!(verdict.interval.low < verdict.difference && verdict.difference < verdict.interval.high);
    assert!(verdict.returns_p < 0.1 && verdict.text().contains("152 (50.67 %) -> 159 (53.00 %): 8 gained, 1 lost"));
    // By hand: of three pairs that are always gained none is ever significant, of six each is.
    assert_eq!((mcnemar_power(3, 1.0, 0.0), mcnemar_power(6, 1.0, 0.0)), (0.0, 1.0));
    // What is printed in per cent must not be "-0 %".
    assert!(mcnemar_power(3, 1.0, 0.0).is_sign_positive());
    assert!(mcnemar_power(300, 0.05, 0.05) < 0.025 && mcnemar_power(1500, 0.08, 0.04) > 0.9);
}

/// `interop/decision_transformer.py` says how the files are made.
#[test]
fn hidden_states_and_logits_are_those_of_transformers() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/sokoban/model");
    let policy = Policy::open(&folder, &Cpu).unwrap();
    let golden = std::fs::read_to_string(folder.join("transformers.jsonl")).unwrap();
    for line in golden.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let level = read_levels(line["level"].as_str().unwrap()).unwrap()[0];
        let moves = read_moves(line["moves"].as_str().unwrap()).unwrap();
        let (hidden, logits) = policy.look(&level, &moves).unwrap();
        for (found, name) in [(hidden, "hidden"), (logits, "logits")] {
            let expected: Vec<f64> = serde_json::from_value(line[name].clone()).unwrap();
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(&expected) {
                assert!((f64::from(*a) - b).abs() <= 1e-4 * b.abs().max(1.0), "{name}: {a} {b}");
            }
        }
    }
    assert!(golden.lines().count() >= 8);
}

#[test]
fn damaged_models_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    train(folder.path(), 1, usize::MAX).unwrap();
    let open = || Policy::open(folder.path(), &Cpu).unwrap_err().to_string();
    let config = String::from_utf8(file(folder.path(), "config.json")).unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("config.json", config.replace("\"n_layer\": 2", "\"n_layer\": 3").as_bytes());
    assert!(open().contains("are not those that config.json says"));
    write("config.json", config.replace("\"relu\"", "\"gelu\"").as_bytes());
    assert!(open().contains("`activation_function` is \"gelu\""));
    write("config.json", config.as_bytes());
    let model = file(folder.path(), "model.safetensors");
    write("model.safetensors", &model[..model.len() / 2]);
    assert!(open().contains("not a whole safetensors file"));
    let kept = file(folder.path(), "training.safetensors");
    write("training.safetensors", &kept[..kept.len() - 4]);
    assert!(Training::open(folder.path(), options(1), &teacher()).is_err());
}
