//! The text and JSON forms of interventions, and what they do.

use std::num::NonZeroUsize;

use laser_edit::{Edit, Intervention, InterventionSpec, MatrixKind, ModelShape};
use laser_linalg::{DecomposedMatrix, Svd, dense, product};
use laser_matrix::{Matrix, Rho};
use proptest::prelude::*;

/// A model with these many layers and, of the MLP's matrices, experts.
struct Model {
    layers: usize,
    matrices: Vec<MatrixKind>,
    experts: Option<usize>,
}

impl ModelShape for Model {
    fn layers(&self) -> usize {
        self.layers
    }

    fn matrices(&self) -> &[MatrixKind] {
        &self.matrices
    }

    fn matrix_shape(&self, kind: MatrixKind) -> [usize; 2] {
        match kind {
            MatrixKind::FcIn | MatrixKind::FcUp => [96, 48],
            MatrixKind::FcOut => [48, 96],
            _ => [48, 48],
        }
    }

    fn experts(&self, kind: MatrixKind) -> Option<usize> {
        self.experts.filter(|_| MatrixKind::MLP.contains(&kind))
    }
}

/// With all matrices.
fn model(layers: usize) -> Model {
    Model { layers, matrices: MatrixKind::ALL.to_vec(), experts: None }
}

fn expand(text: &str, layers: usize) -> Result<Vec<String>, String> {
    let spec: InterventionSpec = text.parse().map_err(|error: laser_edit::EditError| error.to_string())?;
    let list = spec.expand(&model(layers)).map_err(|error| error.to_string())?;
    Ok(list.iter().map(Intervention::to_string).collect())
}

fn edits() -> impl Strategy<Value = Edit> {
    let rho = || (0.0..=1.0_f64).prop_map(|value| Rho::new(value).unwrap());
    prop_oneof![
        rho().prop_map(Edit::rho),
        any::<usize>().prop_map(Edit::rank),
        rho().prop_map(Edit::randomised),
        (any::<NonZeroUsize>(), rho()).prop_map(|(blocks, rho)| Edit::row_blocks(blocks, rho)),
        rho().prop_map(|rho| format!("tail={}", rho.get()).parse().unwrap()),
        rho().prop_map(|rho| format!("prune={}", rho.get()).parse().unwrap()),
        rho().prop_map(|rho| format!("whitened={}", rho.get()).parse().unwrap()),
        (any::<NonZeroUsize>(), rho()).prop_map(|(n, rho)| format!("stacked={n},{}", rho.get()).parse().unwrap()),
        rho().prop_map(|rho| format!("kfac={}", rho.get()).parse().unwrap()),
        Just("zero".parse().unwrap()),
    ]
}

proptest! {
    #![proptest_config(laser_testing::cases())]

    #[test]
    fn both_forms_come_back(layer in 0..1_000_usize, matrix in 0..7_usize, edit in edits()) {
        let intervention = Intervention { layer, matrix: MatrixKind::ALL[matrix].into(), edit };
        let spec: InterventionSpec = intervention.to_string().parse().unwrap();
        prop_assert_eq!(spec.expand(&model(1_000)).unwrap(), vec![intervention.clone()]);
        let json = serde_json::to_string(&intervention).unwrap();
        prop_assert_eq!(serde_json::from_str::<Intervention>(&json).unwrap(), intervention);
    }

    #[test]
    fn no_text_panics(text in "[0-9*.,:=a-z_-]{0,24}", layers in 1..50_usize) {
        if let Err(error) = expand(&text, layers) {
            prop_assert_eq!(error.lines().count(), 1);
        }
    }
}

#[test]
fn the_forms_are_those_of_the_contract() {
    for (text, json) in [
        ("27.fc_in:0.01", r#"{"layer":27,"matrix":"fc_in","rho":0.01}"#),
        ("27.fc_in:rank=41", r#"{"layer":27,"matrix":"fc_in","rank":41}"#),
        ("27.fc_in:tail=0.01", r#"{"layer":27,"matrix":"fc_in","tail":0.01}"#),
        ("27.fc_in:zero", r#"{"layer":27,"matrix":"fc_in","zero":true}"#),
        ("27.out_proj:prune=0.9", r#"{"layer":27,"matrix":"out_proj","prune":0.9}"#),
        ("27.fc_in:blocks=4,0.05", r#"{"layer":27,"matrix":"fc_in","blocks":4,"rho":0.05}"#),
        ("27.fc_in:randomised=0.01", r#"{"layer":27,"matrix":"fc_in","randomised":0.01}"#),
        ("27.fc_in:band=0.1,0.6", r#"{"layer":27,"matrix":"fc_in","band":[0.1,0.6]}"#),
    ] {
        let intervention: Intervention = serde_json::from_str(json).unwrap();
        assert_eq!(intervention.to_string(), text);
        assert_eq!(serde_json::to_string(&intervention).unwrap(), json);
        assert_eq!(expand(text, 28).unwrap(), [text]);
    }
    for json in [
        r#"{"layer":1,"matrix":"fc_in"}"#,
        r#"{"layer":1,"matrix":"fc_in","rho":1.5}"#,
        r#"{"layer":1,"matrix":"fc_in","rho":0.1,"rank":3}"#,
        r#"{"layer":1,"matrix":"fc_in","zero":false}"#,
        r#"{"layer":1,"matrix":"fc_in","blocks":0,"rho":0.1}"#,
        r#"{"layer":1,"matrix":"fc_in","rho":0.1,"why":"x"}"#,
        r#"{"layer":-1,"matrix":"fc_in","rho":0.1}"#,
        r#"{"layer":1,"matrix":"fc","rho":0.1}"#,
    ] {
        assert!(serde_json::from_str::<Intervention>(json).is_err(), "{json}");
    }
}

/// As they were when the JSON form was a struct.
#[test]
fn bad_json_says_what_is_wrong() {
    for (json, expected) in [
        (r#"{"layer":1,"matrix":"fc_in"}"#, "a reduction needs one of rho, rank, tail, zero (true), prune, randomised"),
        (r#"{"layer":1,"matrix":"fc_in","zero":false}"#, ", or blocks and rho"),
        (r#"{"layer":1,"matrix":"fc_in","rho":1.5}"#, "a fraction must be a number from 0 to 1, not 1.5"),
        (
            r#"{"layer":1,"matrix":"fc_in","why":2}"#,
            "unknown field `why`, expected one of `layer`, `matrix`, `rank`, `tail`, `zero`, `prune`, `blocks`, `randomised`",
        ),
        (r#"{"layer":1,"matrix":"fc_in","rank":0.5}"#, "invalid type: floating point `0.5`, expected usize"),
        (r#"{"layer":1,"matrix":"fc_in","rank":1,"rank":1}"#, "duplicate field `rank`"),
        (r#"{"matrix":"fc_in","rank":1}"#, "missing field `layer`"),
        (r#"{"layer":1,"rank":1}"#, "missing field `matrix`"),
    ] {
        let error = serde_json::from_str::<Intervention>(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
    let null = r#"{"layer":1,"matrix":"fc_in","rho":0.5,"rank":null}"#;
    assert_eq!(serde_json::from_str::<Intervention>(null).unwrap().to_string(), "1.fc_in:0.5");
}

#[test]
fn ranges_and_groups_expand() {
    assert_eq!(expand("2-3.fc_out:0.1", 4).unwrap(), ["2.fc_out:0.1", "3.fc_out:0.1"]);
    assert_eq!(expand("-1.fc_up:0.2", 30).unwrap(), ["29.fc_up:0.2"]);
    assert_eq!(expand("-2--1.fc_up:0.2", 30).unwrap(), ["28.fc_up:0.2", "29.fc_up:0.2"]);
    assert_eq!(expand("*.mlp:0.5", 2).unwrap().len(), 6);
    assert_eq!(expand("*.attn:0.5", 2).unwrap().len(), 8);
    assert_eq!(expand("0.all:0.50", 2).unwrap()[6], "0.fc_out:0.5");
}

#[test]
fn bad_texts_say_what_is_wrong() {
    for (text, expected) in [
        ("99.fc_in:0.1", "layer 99 is out of range: the model has layers 0 to 29 (or -30 to -1)"),
        ("-31.fc_in:0.1", "layer -31 is out of range"),
        ("29-99.fc_in:0.1", "layer 99"),
        ("9-3.fc_in:0.1", "the first layer comes after the last"),
        (
            "1.fc:0.1",
            "unknown matrix \"fc\": the matrices are q_proj, k_proj, v_proj, out_proj, fc_in, fc_up, fc_out; groups are attn, mlp, all",
        ),
        ("1.out_prj:0.1", "unknown matrix \"out_prj\": did you mean out_proj? the matrices are"),
        ("1.gate_proj:0.1", "did you mean fc_in?"),
        ("1.fc_in:1.5", "from 0 to 1, not 1.5"),
        ("1.fc_in:NaN", "from 0 to 1, not NaN"),
        ("1.fc_in:-0.1", "from 0 to 1"),
        ("1.fc_in:half", "\"half\" is not a number: the edits are"),
        ("1.fc_in:rank=-1", "rank"),
        ("1.fc_in:tail=7", "from 0 to 1"),
        ("1.fc_in:blocks=0,0.1", "blocks"),
        ("1.fc_in:blocks=4", "blocks=4,0.05"),
        ("1.fc_in:keep=4", "unknown edit \"keep\": the edits are a fraction"),
        ("1.fc_in:whitend=0.1", "unknown edit \"whitend\": did you mean whitened=0.1? the edits are a fraction"),
        ("1.fc_in:zeros", "\"zeros\" is not a number: did you mean zero? the edits are a fraction"),
        ("1.fc_in", "write LAYER.MATRIX:EDIT"),
        ("fc_in:0.1", "write LAYER.MATRIX:EDIT"),
        ("x.fc_in:0.1", "\"x\" is not a layer"),
        ("+1.fc_in:0.1", "is not a layer"),
        ("99999999999999999999.fc_in:0.1", "is not a layer"),
        ("", "write LAYER.MATRIX:EDIT"),
    ] {
        let error = expand(text, 30).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn a_matrix_is_edited_once_and_lists_are_in_order() {
    let specs = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<InterventionSpec>>();
    let error = InterventionSpec::expand_all(&specs(&["1.mlp:0.1", "*.fc_up:0.2"]), &model(3)).unwrap_err().to_string();
    assert_eq!(error, "1.fc_up is edited twice: give one reduction for each matrix");
    let list = InterventionSpec::expand_all(&specs(&["2.fc_in:0.1", "0.attn:0.2"]), &model(3)).unwrap();
    assert_eq!(list[0].to_string(), "0.q_proj:0.2");
    assert_eq!(list[4].to_string(), "2.fc_in:0.1");
}

#[test]
fn edits_do_what_they_say() {
    let matrix = Matrix::new(4, 3, vec![4.0, 1.0, 0.5, -2.0, 3.0, 1.0, 0.25, 0.0, 2.0, 1.0, 1.0, -1.0]).unwrap();
    let apply = |text: &str| {
        let list = text.parse::<InterventionSpec>().unwrap().expand(&model(1)).unwrap();
        let decomposed = DecomposedMatrix::new(matrix.clone());
        list[0].apply(&decomposed).map(dense).map_err(|error| error.to_string())
    };
    let svd = Svd::of(&matrix).unwrap();
    assert_eq!(apply("0.fc_in:0.34").unwrap(), product(&svd.components(&[0..1])));
    assert_eq!(apply("0.fc_in:rank=2").unwrap(), product(&svd.components(&[0..2])));
    assert_eq!(apply("0.fc_in:tail=0.34").unwrap(), product(&svd.components(&[1..3])));
    assert_eq!(apply("0.fc_in:zero").unwrap(), Matrix::zeros(4, 3));
    assert_eq!(apply("0.fc_in:prune=0.5").unwrap().data().iter().filter(|&&value| value == 0.0).count(), 6);
    // One row a block: nothing is lost at full rank, all of it at rank 0.
    assert_eq!(apply("0.fc_in:blocks=4,0.5").unwrap(), Matrix::zeros(4, 3));
    for nothing_lost in ["0.fc_in:1", "0.fc_in:rank=3", "0.fc_in:tail=0"] {
        assert_eq!(apply(nothing_lost).unwrap(), matrix);
    }
    assert_eq!(
        apply("0.fc_in:rank=4").unwrap_err(),
        "cannot apply 0.fc_in:rank=4: the matrix is 4 x 3: its rank is at most 3"
    );
    assert!(apply("0.fc_in:blocks=5,0.1").unwrap_err().contains("4 rows"));
}

#[test]
fn a_mixture_is_edited_expert_by_expert_or_as_a_whole() {
    let mixture = Model { experts: Some(4), ..model(3) };
    let expand = |texts: &[&str]| {
        let specs: Vec<InterventionSpec> = texts.iter().map(|text| text.parse().unwrap()).collect();
        InterventionSpec::expand_all(&specs, &mixture).map_err(|error| error.to_string())
    };
    let list = expand(&["1.fc_in[3]:0.1", "1.fc_in[0]:0.2", "1.fc_out:0.5"]).unwrap();
    assert_eq!(
        list.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["1.fc_in[0]:0.2", "1.fc_in[3]:0.1", "1.fc_out:0.5"]
    );
    let json = serde_json::to_string(&list[1]).unwrap();
    assert_eq!(json, r#"{"layer":1,"matrix":"fc_in[3]","rho":0.1}"#);
    assert_eq!(serde_json::from_str::<Intervention>(&json).unwrap(), list[1]);
    let cases = [
        (&["1.fc_in[3]:0.1", "1.fc_in[3]:0.2"][..], "1.fc_in[3] is edited twice"),
        (&["1.fc_in:0.1", "1.fc_in[0]:0.2", "1.fc_in[3]:0.2"], "is edited twice"),
        (&["1.fc_in[4]:0.1"], "the experts are 0 to 3"),
        (&["1.q_proj[0]:0.1"], "q_proj has no experts"),
    ];
    for (texts, expected) in cases {
        let error = expand(texts).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    for wrong in ["1.fc_in[:0.1", "1.fc_in[]:0.1", "1.fc_in[-1]:0.1", "1.fc_in[x]:0.1", "1.mlp[0]:0.1"] {
        assert!(wrong.parse::<InterventionSpec>().is_err(), "{wrong}");
    }
}

#[test]
fn a_matrix_that_a_model_lacks_is_refused_by_name_and_left_out_of_a_group() {
    let matrices = MatrixKind::ALL.into_iter().filter(|&kind| kind != MatrixKind::FcUp).collect();
    let ungated = Model { matrices, ..model(3) };
    let expand = |text: &str| text.parse::<InterventionSpec>().unwrap().expand(&ungated);
    assert_eq!(expand("0.mlp:0.1").unwrap().len(), 2);
    let error = expand("0.fc_up:0.1").unwrap_err().to_string();
    assert!(error.contains("no matrix fc_up: this model's are q_proj"), "{error}");
}

#[test]
fn a_field_comes_once_null_or_not() {
    for fields in [r#""rho":null,"rho":0.5"#, r#""rho":0.5,"rho":null"#, r#""rho":null,"rho":null"#] {
        let text = format!(r#"{{"layer":1,"matrix":"fc_in",{fields}}}"#);
        let error = serde_json::from_str::<Intervention>(&text).unwrap_err().to_string();
        assert!(error.contains("duplicate field `rho`"), "{text}: {error}");
    }
}
