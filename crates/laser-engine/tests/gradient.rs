//! Gradients agree with what a small change does to the loss.

mod support;

use laser_edit::{MatrixId, MatrixKind};
use laser_engine::{Calibration, Editor, HalfText, Observer};
use laser_example::SplitMix64;
use laser_kernels::KvIndices;
use laser_linalg::{DecomposedMatrix, dense};
use laser_matrix::Matrix;
use laser_model::{LossTerm, Model, Sample};
use support::{candidate, families, folder, logits, open, open_at};

const TOKENS: [u32; 9] = [5, 9, 3, 7, 7, 2, 11, 4, 6];

fn loss_terms() -> Vec<LossTerm> {
    vec![LossTerm { row: 3, token: 8, weight: 0.5 }, LossTerm { row: 8, token: 2, weight: 1.0 }]
}

fn sample(model: &Model) -> Sample {
    let last = TOKENS.len() as u32;
    let mut indices = KvIndices::default();
    for row in 0..last {
        indices.push(0..if model.config().masked { last } else { row + 1 });
    }
    Sample { tokens: TOKENS.to_vec(), positions: (0..last).collect(), indices, loss: loss_terms() }
}

/// The loss by the plainest road.
fn loss(model: &Model) -> f64 {
    let rows = logits(model, &TOKENS);
    let logprob = |term: &LossTerm| {
        let row = &rows[term.row as usize];
        f64::from(row[term.token as usize]) - row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln()
    };
    loss_terms().iter().map(|term| -term.weight * logprob(term)).sum()
}

#[test]
fn a_gradient_predicts_what_a_small_change_does() {
    for name in families() {
        let fixture = open(&name);
        let model = &fixture.model;
        let mut gradients: Vec<(usize, MatrixId, Matrix)> = Vec::new();
        let config = model.config();
        let ids: Vec<MatrixId> = config.matrices.iter().flat_map(|&it| MatrixId::from(it).each(config)).collect();
        let samples = [sample(model), sample(model)];
        let found = model
            .gradients::<laser_model::Error>(&samples, &ids, 0, |layer, id, gradient| {
                gradients.push((layer, id, gradient));
                Ok(())
            })
            .unwrap();
        // Of some matrices from a layer on they are the same.
        let mut some = Vec::new();
        let again = model.gradients::<laser_model::Error>(&samples, &ids[..2], 1, |layer, id, gradient| {
            some.push((layer, id, gradient));
            Ok(())
        });
        assert_eq!(again.unwrap(), found, "{name}");
        let wanted = |(layer, id, _): &&(usize, MatrixId, Matrix)| *layer >= 1 && ids[..2].contains(id);
        assert!(some.iter().eq(gradients.iter().filter(wanted)) && !some.is_empty(), "{name}");
        let expected = loss(model);
        assert!((found / 2.0 - expected).abs() < 1e-4 * expected, "{name}: {found} and {expected}");
        assert!(gradients.windows(2).all(|pair| pair[0].0 >= pair[1].0), "{name}: not from the last layer down");

        // In a mixture the routing is taken as constant, which a change of what the router sees is not.
        let exact = |layer: usize| model.config().experts.is_none() || layer + 1 == model.config().layers;
        let mut random = SplitMix64::new(7);
        for (layer, id, gradient) in gradients
            .iter()
            .filter(|(layer, id, _)| exact(*layer) && (id.expert.is_some() || model.config().experts.is_none()))
        {
            let matrix = fixture.checkpoint.matrix(*layer, *id).unwrap();
            // Along the gradient and some noise, so that the change is not lost in rounding.
            let norm = gradient.frobenius_norm().max(1e-12);
            let direction: Vec<f32> = gradient
                .data()
                .iter()
                .map(|g| (f64::from(*g) / norm) as f32 + (random.below(2001) as f32 / 1000.0 - 1.0) * 0.02)
                .collect();
            let step = 0.02 * matrix.frobenius_norm() / (matrix.data().len() as f64).sqrt();
            let moved = |sign: f32| {
                let mut moved = matrix.clone();
                for (value, d) in moved.data_mut().iter_mut().zip(&direction) {
                    *value += sign * step as f32 * d;
                }
                loss(&model.replace(*layer, *id, &moved).unwrap())
            };
            let difference = (moved(1.0) - moved(-1.0)) / (2.0 * step);
            let predicted =
                0.5 * gradient.data().iter().zip(&direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum::<f64>();
            let tolerance = 0.03 * predicted.abs() + 2e-5 / step;
            assert!((difference - predicted).abs() < tolerance, "{name}, {layer}.{id}: {difference} and {predicted}");
        }
    }
}

/// Gradients by the MLP of every layer.
fn mlp_gradients(model: &Model) -> Vec<Matrix> {
    let mut found = Vec::new();
    let config = model.config();
    let mlp =
        config.matrices.iter().filter(|kind| [MatrixKind::FcIn, MatrixKind::FcUp, MatrixKind::FcOut].contains(kind));
    let ids: Vec<MatrixId> = mlp.flat_map(|&kind| MatrixId::from(kind).each(config)).collect();
    let each = |_, _, gradient| {
        found.push(gradient);
        Ok(())
    };
    model.gradients::<laser_model::Error>(&[sample(model)], &ids, 0, each).unwrap();
    found
}

#[test]
fn gradients_go_through_matrices_on_disk() {
    for name in families() {
        let (memory, disk) = (mlp_gradients(&open(&name).model), mlp_gradients(&open_at(&folder(&name), 0).model));
        assert!(memory == disk && memory.iter().any(|it| it.frobenius_norm() > 0.0), "{name}");
    }
}

#[test]
fn gradients_go_through_matrices_in_bf16() {
    let model = open("llama").model;
    let Ok(rounded) = model.to_bf16() else { return println!("skipped: this processor has no products in bf16") };
    for (exact, found) in mlp_gradients(&model).iter().zip(mlp_gradients(&rounded)) {
        let difference = exact.data().iter().zip(found.data()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
        assert!(
            difference.sqrt() < 0.1 * exact.frobenius_norm(),
            "{} of {}",
            difference.sqrt(),
            exact.frobenius_norm()
        );
    }
}

/// What goes into each matrix and the gradients by what comes out of it give the gradient by the matrix.
#[test]
fn what_is_observed_of_a_matrix_gives_its_gradient() {
    for name in families() {
        let model = &open(&name).model;
        let config = model.config();
        let ids: Vec<MatrixId> = config.matrices.iter().flat_map(|&it| MatrixId::from(it).each(config)).collect();
        let samples = [sample(model), sample(model)];
        let streams = model.streams(&samples, true).unwrap();
        let found = model.gradients::<laser_model::Error>(&samples, &ids, 0, |layer, id, gradient| {
            let observed = model.observe(&streams, layer, &[id])?.remove(0);
            let (x, g) = (&observed.inputs, observed.gradients.as_ref().unwrap());
            assert_eq!((x.rows(), x.cols(), g.cols()), (g.rows(), gradient.cols(), gradient.rows()), "{name}");
            let sum = |i: usize, j: usize| -> f32 {
                (0..x.rows()).map(|t| g.data()[t * g.cols() + i] * x.data()[t * x.cols() + j]).sum()
            };
            let expected = Matrix::from_fn(gradient.rows(), gradient.cols(), sum);
            let apart = Matrix::from_fn(gradient.rows(), gradient.cols(), |i, j| {
                let at = i * gradient.cols() + j;
                expected.data()[at] - gradient.data()[at]
            });
            let limit = 1e-5 * gradient.frobenius_norm();
            assert!(apart.frobenius_norm() <= limit, "{name} {layer}.{id}: {} {limit}", apart.frobenius_norm());
            Ok(())
        });
        found.unwrap();
        let without = model.observe(&model.streams(&samples, false).unwrap(), 0, &ids).unwrap();
        assert!(without.iter().all(|observed| observed.gradients.is_none()));
    }
}

/// tests/fixtures/curvature.json is what scripts/make-curvature-reference.py prints.
#[test]
fn edits_by_curvature_are_those_of_pytorch_and_numpy() {
    let text = std::fs::read_to_string(folder("curvature.json")).unwrap();
    let reference: serde_json::Value = serde_json::from_str(&text).unwrap();
    let windows: Vec<Vec<u32>> = serde_json::from_value(reference["tokens"].clone()).unwrap();
    let text = HalfText { windows, special: 0, prompts: Vec::new() };
    for (name, edits) in reference["models"].as_object().unwrap() {
        let fixture = open(name);
        let calibration = Calibration::new(&fixture.model, &text);
        for (edit, expected) in edits.as_object().unwrap() {
            let edits = candidate(edit, fixture.model.config());
            let [one] = edits.interventions() else { panic!("one edit") };
            let mut matrix = DecomposedMatrix::new(fixture.checkpoint.matrix(one.layer, one.matrix).unwrap());
            let basis = one.edit.basis().unwrap();
            matrix.observe(basis, &calibration.observe(one.layer, one.matrix, basis).unwrap()).unwrap();
            let matrix = dense(one.apply(&matrix).unwrap());
            let product = |row: &[f32]| -> f64 {
                row.iter().enumerate().map(|(j, &entry)| f64::from(entry) * (j as f64).cos()).sum()
            };
            let norm = expected["norm"].as_f64().unwrap();
            assert!((matrix.frobenius_norm() / norm - 1.0).abs() < 1e-5, "{name} {edit}");
            for (row, expected) in matrix.data().chunks(matrix.cols()).zip(expected["product"].as_array().unwrap()) {
                let apart = product(row) - expected.as_f64().unwrap();
                assert!(apart.abs() < 1e-4 * norm, "{name} {edit}: {apart} of {norm}");
            }
        }
        // The editor asks for it by itself.
        let mut editor = Editor::new(&fixture.checkpoint, &fixture.model).with_observer(Some(&calibration));
        editor.edit(&candidate("1.fc_in:whitened=0.1 2.fc_out:kfac=0.1", fixture.model.config())).unwrap();
        let mut blind = Editor::new(&fixture.checkpoint, &fixture.model);
        let error = blind.edit(&candidate("1.fc_in:whitened=0.1", fixture.model.config())).unwrap_err();
        let why =
            "what goes through the matrix was not observed on a calibration text, or its neighbours are not known";
        assert_eq!(error.to_string(), format!("cannot apply 1.fc_in:whitened=0.1: {why}"));
    }
}
