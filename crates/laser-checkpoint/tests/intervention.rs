//! The text and JSON forms of interventions, and what they do.
#![allow(missing_docs)]

use std::num::NonZeroUsize;

use laser_checkpoint::{Checkpoint, Config, Edit, Intervention, InterventionSpec, MatrixKind};
use laser_linalg::{Matrix, Rho, Svd};
use proptest::prelude::*;

/// A llama of this many layers.
fn config(layers: usize) -> Config {
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/llama");
    let mut config = Checkpoint::open(fixture.as_ref()).unwrap().config().clone();
    config.layers = layers;
    config
}

fn expand(text: &str, layers: usize) -> Result<Vec<String>, String> {
    let spec: InterventionSpec = text.parse().map_err(|error: laser_checkpoint::CheckpointError| error.to_string())?;
    let list = spec.expand(&config(layers)).map_err(|error| error.to_string())?;
    Ok(list.iter().map(Intervention::to_string).collect())
}

fn edits() -> impl Strategy<Value = Edit> {
    let rho = || (0.0..=1.0_f64).prop_map(|value| Rho::new(value).unwrap());
    prop_oneof![
        rho().prop_map(Edit::Rho),
        any::<usize>().prop_map(Edit::Rank),
        rho().prop_map(Edit::Tail),
        Just(Edit::Zero),
        rho().prop_map(Edit::Prune),
        (any::<NonZeroUsize>(), rho()).prop_map(|(blocks, rho)| Edit::Blocks { blocks, rho }),
    ]
}

proptest! {
    #[test]
    fn both_forms_come_back(layer in 0..1_000_usize, matrix in 0..7_usize, edit in edits()) {
        let intervention = Intervention { layer, matrix: MatrixKind::ALL[matrix].into(), edit };
        let spec: InterventionSpec = intervention.to_string().parse().unwrap();
        prop_assert_eq!(spec.expand(&config(1_000)).unwrap(), vec![intervention]);
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
        ("1.fc_in:1.5", "from 0 to 1, not 1.5"),
        ("1.fc_in:NaN", "from 0 to 1, not NaN"),
        ("1.fc_in:-0.1", "from 0 to 1"),
        ("1.fc_in:half", "\"half\" is no number; the edits are"),
        ("1.fc_in:rank=-1", "rank"),
        ("1.fc_in:tail=7", "from 0 to 1"),
        ("1.fc_in:blocks=0,0.1", "blocks"),
        ("1.fc_in:blocks=4", "blocks=4,0.05"),
        ("1.fc_in:keep=4", "unknown edit \"keep\""),
        ("1.fc_in", "write LAYER.MATRIX:EDIT"),
        ("fc_in:0.1", "write LAYER.MATRIX:EDIT"),
        ("x.fc_in:0.1", "\"x\" is no layer"),
        ("+1.fc_in:0.1", "is no layer"),
        ("99999999999999999999.fc_in:0.1", "is no layer"),
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
    let error =
        InterventionSpec::expand_all(&specs(&["1.mlp:0.1", "*.fc_up:0.2"]), &config(3)).unwrap_err().to_string();
    assert_eq!(error, "1.fc_up is edited twice: give one reduction for each matrix");
    let list = InterventionSpec::expand_all(&specs(&["2.fc_in:0.1", "0.attn:0.2"]), &config(3)).unwrap();
    assert_eq!(list[0].to_string(), "0.q_proj:0.2");
    assert_eq!(list[4].to_string(), "2.fc_in:0.1");
}

#[test]
fn edits_do_what_they_say() {
    let matrix = Matrix::new(4, 3, vec![4.0, 1.0, 0.5, -2.0, 3.0, 1.0, 0.25, 0.0, 2.0, 1.0, 1.0, -1.0]).unwrap();
    let apply = |text: &str| {
        let list = text.parse::<InterventionSpec>().unwrap().expand(&config(1)).unwrap();
        list[0].apply(&matrix).map_err(|error| error.to_string())
    };
    let svd = Svd::of(&matrix).unwrap();
    assert_eq!(apply("0.fc_in:0.34").unwrap(), svd.truncate(1));
    assert_eq!(apply("0.fc_in:rank=2").unwrap(), svd.truncate(2));
    assert_eq!(apply("0.fc_in:tail=0.34").unwrap(), svd.tail(1));
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
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/mixtral");
    let config = Checkpoint::open(fixture.as_ref()).unwrap().config().clone();
    let expand = |texts: &[&str]| {
        let specs: Vec<InterventionSpec> = texts.iter().map(|text| text.parse().unwrap()).collect();
        InterventionSpec::expand_all(&specs, &config).map_err(|error| error.to_string())
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
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/gpt2");
    let config = Checkpoint::open(fixture.as_ref()).unwrap().config().clone();
    let expand = |text: &str| text.parse::<InterventionSpec>().unwrap().expand(&config);
    assert_eq!(expand("0.mlp:0.1").unwrap().len(), 2);
    let error = expand("0.fc_up:0.1").unwrap_err().to_string();
    assert!(error.contains("no matrix fc_up: this model's are q_proj"), "{error}");
}
