//! `laser inspect`, and models that are refused.

mod support;

use serde_json::{Value, json};
use std::fs;
use support::{Session, fixture};

#[test]
fn shows_what_there_is() {
    let session = Session::new();
    let model = fixture("mixtral");
    let output = session.laser(&format!("inspect {} --quiet", model.display())).assert().success();
    let text = String::from_utf8(output.get_output().stdout.clone()).unwrap();
    assert!(text.starts_with("mixtral: 3 layers, 4 experts, width 48, 4 heads (2 key/value)"), "{text}");
    let row = |words: &[&str]| text.lines().any(|line| line.split_whitespace().eq(words.iter().copied()));
    assert!(row(&["fc_in[3]", "0-2", "96", "x", "48", "f32", "4608"]), "{text}");
    assert!(row(&["k_proj", "0-2", "24", "x", "48", "f32", "1152"]), "{text}");
}

#[test]
fn spectra_are_computed_once_and_are_those_of_the_matrices() {
    let session = Session::new();
    let inspect = |arguments: &str| -> Value {
        let mut command = session.laser(&format!("inspect {} --json --quiet {arguments}", fixture("gpt2").display()));
        let output = command.env("LASER_CACHE", session.path("cache")).assert().success();
        serde_json::from_slice(&output.get_output().stdout).unwrap()
    };
    let first = inspect("--spectrum --layers 1 --matrices attn --rho 1,0.5,0.01");
    assert_eq!((&first["family"], &first["layers"], &first["masked"]), (&json!("gpt2"), &json!(3), &json!(false)));
    let matrices = first["matrices"].as_array().unwrap();
    assert_eq!(matrices.len(), 4);
    for matrix in matrices {
        let spectrum = &matrix["spectrum"];
        let number = |key: &str| spectrum[key].as_f64().unwrap();
        assert!(1.0 < number("stable_rank") && number("stable_rank") <= number("effective_rank"));
        assert!(number("effective_rank") <= 48.0 && number("noise_edge") > 0.0);
        let at = spectrum["at"].as_array().unwrap();
        assert_eq!((at[0]["energy"].as_f64(), at[0]["rank"].as_u64()), (Some(1.0), Some(48)));
        assert!(at[1]["energy"].as_f64().unwrap() > 0.5 && at[1]["saved"].as_f64() == Some(0.0));
        assert_eq!((at[2]["energy"].as_f64(), at[2]["saved"].as_f64()), (Some(0.0), Some(1.0)));
    }
    let kept: Vec<_> =
        fs::read_dir(session.path("cache/spectra")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 4);
    // What is kept is used, and what is damaged is made anew.
    fs::write(&kept[0], b"damaged").unwrap();
    assert_eq!(inspect("--spectrum --layers 1 --matrices attn --rho 1,0.5,0.01"), first);
    // The values, and their hash.
    assert_eq!(fs::metadata(&kept[0]).unwrap().len(), 32 + 4 * 48);
}

#[test]
fn a_table_of_ones_own() {
    let session = Session::new();
    let model = session.copy_of("llama", "model");
    let config = fs::read_to_string(model.join("config.json")).unwrap();
    let config = config.replace("\"llama\"", "\"mine\"").replace("LlamaForCausalLM", "MineForCausalLM");
    fs::write(model.join("config.json"), config).unwrap();
    let (_, message) = session.fails("inspect model");
    for part in ["unknown model_type \"mine\"", "arcee, bert, bloom, ", "starcoder2", "--architecture FILE"] {
        assert!(message.contains(part), "{message}");
    }
    let table = "like = \"llama\"\nfamily = \"mine\"\nmodel_type = \"mine\"\nclasses = [\"MineForCausalLM\"]\n";
    session.write("mine.toml", table);
    session.laser("inspect model --architecture mine.toml").assert().success();
    session.write("mine.toml", format!("{table}[block]\nnrom = \"rms\"\n"));
    let (_, message) = session.fails("inspect model --architecture mine.toml");
    assert!(message.contains("mine.toml") && message.contains("unknown field `nrom`"), "{message}");
}

#[test]
fn a_pickle_that_imports_anything_else() {
    let session = Session::new();
    let model = session.copy_of("llama", "model");
    fs::remove_file(model.join("model.safetensors")).unwrap();
    for name in ["evil-zip.bin", "evil-legacy.bin"] {
        let evil = concat!(env!("CARGO_MANIFEST_DIR"), "/../laser-checkpoint/tests/pytorch/");
        fs::copy(format!("{evil}{name}"), model.join("pytorch_model.bin")).unwrap();
        let (_, message) = session.fails("inspect model");
        assert!(message.contains("system") && message.contains("safetensors"), "{message}");
    }
}

#[test]
fn nothing_there_and_no_hub() {
    let session = Session::new();
    let mut command = session.laser("inspect someone/some-model");
    command.env("HF_HUB_OFFLINE", "1").env("HF_HOME", session.path("hf"));
    let output = command.assert().code(1);
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.contains("no such file or folder") && message.contains("HF_HUB_OFFLINE"), "{message}");
}
