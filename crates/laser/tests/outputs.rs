//! `laser apply` in its forms, as a user runs it.

mod support;
#[path = "outputs/targets.rs"]
mod targets;

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{Session, fixture, task};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Mean log-loss of a model on the small task.
fn log_loss(session: &Session, model: &str, options: &str) -> f64 {
    let text = session.prints(&format!("eval {model} --task task.jsonl --json {options}"));
    json(&text)["log_loss"].as_f64().unwrap()
}

fn with_task() -> Session {
    let session = Session::new();
    session.write("task.jsonl", task(20));
    session
}

/// Every file of a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_factored_folder_computes_what_the_edit_does() {
    let session = with_task();
    for family in ["llama", "gpt2", "gptj", "phi3", "qwen3", "gemma2", "mixtral", "gpt_neox", "bert", "opt"] {
        let model = fixture(family).display().to_string();
        let gated = !["gpt2", "gptj", "gpt_neox", "bert", "opt"].contains(&family);
        let mut edits = "--reduce 1.q_proj:0.1 --reduce 1.v_proj:rank=2 --reduce 0.out_proj:zero".to_owned();
        edits += if gated { " --reduce 1.mlp:0.1" } else { " --reduce 1.fc_in:0.1 --reduce 1.fc_out:0.1" };
        let written = json(
            &session
                .prints(&format!("apply {model} {edits} --format hf-factored --rank-multiple 4 --out {family} --json")),
        );
        assert!(written["bytes_after"].as_u64() < written["bytes_before"].as_u64(), "{family}: {written}");
        for edit in written["interventions"].as_array().unwrap() {
            let stored = &edit["stored"];
            let is_expert = family == "mixtral" && edit["matrix"].as_str().unwrap().starts_with("fc");
            if is_expert {
                assert!(stored["why_dense"].as_str().unwrap().contains("experts"), "{edit}");
            } else {
                assert_eq!(stored["rank"], 4, "{family}: {edit}");
                assert!(stored["bytes_after"].as_u64() < stored["bytes_before"].as_u64(), "{edit}");
            }
        }
        let (here, there) = (log_loss(&session, &model, &edits), log_loss(&session, family, ""));
        assert!((here - there).abs() < 1e-5 * here.abs(), "{family}: {here} and {there}");
        let config = session.json(&format!("{family}/config.json"));
        assert!(config["auto_map"]["AutoModel"] == "modeling_laser.LaserModel", "{config}");
        // Shown, edited again, and written whole again.
        session.prints(&format!("inspect {family}"));
        assert_ne!(log_loss(&session, family, "--reduce 1.q_proj:zero"), there, "{family}");
        session.prints(&format!("apply {family} --reduce 0.out_proj:rank=1 --out {family}-whole"));
        let whole = session.json(&format!("{family}-whole/config.json"));
        assert_eq!(
            whole,
            serde_json::from_slice::<Value>(&fs::read(fixture(family).join("config.json")).unwrap()).unwrap()
        );
        assert!(!session.path(&format!("{family}-whole/modeling_laser.py")).exists());
        let whole = log_loss(&session, &format!("{family}-whole"), "");
        assert!((whole - there).abs() < 1e-5 * there.abs(), "{family}: {whole} and {there}");
    }
}

#[test]
fn a_matrix_that_factors_do_not_make_smaller_stays_whole() {
    let session = with_task();
    let model = fixture("llama").display().to_string();
    let said = session.prints(&format!(
        "apply {model} --reduce 1.fc_in:0.9 --reduce 1.fc_up:prune=0.5 --format hf-factored --out out"
    ));
    assert!(said.contains("1.fc_in stays whole: at rank 43 two thin matrices have"), "{said}");
    assert!(said.contains("1.fc_up stays whole: the edit leaves no matrix of low rank"), "{said}");
    // Nothing is factored: the folder opens as any other.
    assert!(!session.path("out/modeling_laser.py").exists() && session.json("out/config.json").get("laser").is_none());
    let edits = "--reduce 1.fc_in:0.9 --reduce 1.fc_up:prune=0.5";
    assert_eq!(log_loss(&session, "out", ""), log_loss(&session, &model, edits));
}

/// Changes one key of a copied model's config.json.
fn configure(session: &Session, model: &str, key: &str, value: Value) {
    let path = format!("{model}/config.json");
    let mut config = session.json(&path);
    config[key] = value;
    session.write(&path, config.to_string());
}

/// What nothing could open is not written.
#[test]
fn a_form_that_would_not_open_is_refused() {
    let session = with_task();
    for (family, format, message) in [
        ("exaone", "hf-factored", "no class of its own"),
        ("exaone", "lora", "under other names"),
        ("internlm2", "hf-factored", "no class of its own"),
    ] {
        let model = fixture(family).display().to_string();
        let (_, said) = session.fails(&format!("apply {model} --reduce 1.q_proj:0.9 --format {format} --out out"));
        assert!(said.contains(message), "{family}: {said}");
    }
    // The text model of one that sees images, too.
    session.copy_of("mistral", "images");
    let text = session.json("images/config.json");
    session
        .write("images/config.json", serde_json::json!({ "model_type": "mistral3", "text_config": text }).to_string());
    for (format, message) in [("hf-factored", "keeps the text model within"), ("lora", "under other names")] {
        let (_, said) = session.fails(&format!("apply images --reduce 1.q_proj:0.9 --format {format} --out out"));
        assert!(said.contains(message), "{said}");
    }
    session.prints("apply images --reduce 1.q_proj:0.9 --out out");
    // Scores that YaRN stretches by a factor that is not the usual one.
    session.copy_of("llama_yarn_rope", "yarn");
    session.prints("apply yarn --reduce 1.q_proj:0.9 --format gguf --out usual.gguf");
    let mut scaling = session.json("yarn/config.json")["rope_parameters"].clone();
    scaling["attention_factor"] = 1.5.into();
    configure(&session, "yarn", "rope_parameters", scaling);
    let (_, said) = session.fails("apply yarn --reduce 1.q_proj:0.9 --format gguf --out other.gguf");
    assert!(said.contains("its rotary positions would be read as") && said.contains("write it as hf"), "{said}");
    // A second adapter, or a second pair of thin matrices, for what has thin ones already.
    let model = fixture("llama").display().to_string();
    session.prints(&format!("apply {model} --reduce 1.q_proj:0.1 --format hf-factored --out thin"));
    for format in ["lora", "hf-factored"] {
        let (_, said) = session.fails(&format!("apply thin --reduce 1.v_proj:0.9 --format {format} --out other"));
        assert!(said.contains("factored already: write it as hf first"), "{said}");
    }
}

/// Values that config.json has within an object, or as a whole number.
#[test]
fn a_gguf_file_gives_back_the_whole_configuration() {
    let session = with_task();
    session.copy_of("mpt", "mpt");
    let mut attention = session.json("mpt/config.json")["attn_config"].clone();
    attention["alibi_bias_max"] = 4.into();
    configure(&session, "mpt", "attn_config", attention);
    session.copy_of("gemma2", "gemma2");
    for family in ["mpt", "gemma2"] {
        session.prints(&format!("apply {family} --reduce 1.q_proj:0.5 --format gguf --out {family}.gguf"));
        session.prints(&format!("apply {family}.gguf --reduce 1.v_proj:0.5 --out {family}-again"));
        let edits = "--reduce 1.q_proj:0.5 --reduce 1.v_proj:0.5";
        let (here, there) = (log_loss(&session, family, edits), log_loss(&session, &format!("{family}-again"), ""));
        assert!((here - there).abs() < 1e-5 * here.abs(), "{family}: {here} and {there}");
    }
    assert_eq!(session.json("mpt-again/config.json")["attn_config"]["alibi_bias_max"], 4);
    assert!(session.json("gemma2-again/config.json")["query_pre_attn_scalar"].is_u64());
}

#[test]
fn a_patch_is_put_back_onto_its_own_base() {
    let session = with_task();
    let model = fixture("phi3").display().to_string();
    let edits = "--reduce 1.mlp:0.1 --reduce 0.k_proj:rank=3 --reduce 0.fc_in:prune=0.5";
    session.prints(&format!("apply {model} {edits} --format patch --out edits.patch"));
    let here = log_loss(&session, &model, edits);
    for format in ["hf", "hf-factored"] {
        session.prints(&format!("apply {model} --patch edits.patch --format {format} --out {format}"));
        let there = log_loss(&session, format, "");
        assert!((here - there).abs() < 1e-5 * here.abs(), "{format}: {here} and {there}");
    }
    let size = fs::metadata(session.path("edits.patch")).unwrap().len();
    let whole = fs::metadata(fixture("phi3").join("model.safetensors")).unwrap().len();
    assert!(size < whole / 4, "{size} of {whole}");

    let other = fixture("llama").display().to_string();
    let (_, message) = session.fails(&format!("apply {other} --patch edits.patch --out other"));
    assert!(message.contains("made for other model files"), "{message}");
    // A matrix that the head of the file says nothing of. As many bytes stay.
    let named = br#"{\"layer\":0,\"matrix\":\"k_proj\","#;
    let other = br#"{\"layer\":1,\"matrix\":\"fc_up\", "#;
    let mut bytes = fs::read(session.path("edits.patch")).unwrap();
    let at = bytes.windows(named.len()).position(|part| part == named).expect("the head names its edits");
    bytes[at..at + named.len()].copy_from_slice(other);
    fs::write(session.path("other.patch"), bytes).unwrap();
    let (_, message) = session.fails(&format!("apply {model} --patch other.patch --out other"));
    assert!(message.contains("0.k_proj.inner in it is of no edit that it names"), "{message}");
    session.write("no.patch", "not one");
    let (_, message) = session.fails(&format!("apply {model} --patch no.patch --out other"));
    assert!(message.contains("it is not a patch"), "{message}");
    let (_, message) = session.fails(&format!("apply {model} {edits} --format patch --out edits.patch"));
    assert!(message.contains("--force"), "{message}");
}

#[test]
fn what_holds_no_tokenizer_needs_none() {
    let session = Session::new();
    session.copy_of("llama", "model");
    session.write("model/tokenizer.json", "damaged");
    session.prints("apply model --reduce 1.fc_in:0.1 --format patch --out edits.patch");
    session.prints("apply model --reduce 1.fc_in:0.9 --format lora --out lora");
    let (_, message) = session.fails("apply model --reduce 1.fc_in:0.1 --format gguf --out edited.gguf");
    assert!(message.contains("tokenizer"), "{message}");
}

#[test]
fn the_same_edit_gives_the_same_bytes() {
    let session = with_task();
    let model = fixture("qwen3").display().to_string();
    session.copy_of("qwen3", "qwen3");
    for format in ["hf", "hf-factored"] {
        let apply = |model: &str, out: &str| {
            session.prints(&format!("apply {model} --reduce 1.mlp:0.1 --format {format} --out {out} --threads 2"));
            files(&session.path(out))
        };
        assert_eq!(apply(&model, &format!("{format}-a")), apply("qwen3", &format!("{format}-b")), "{format}");
    }
    // A rerun over what is there leaves the same, and nothing beside it.
    let before = files(&session.path("hf-a"));
    session.prints(&format!("apply {model} --reduce 1.mlp:0.1 --out hf-a --force"));
    assert_eq!(files(&session.path("hf-a")), before);
    assert!(!session.list().iter().any(|name| name.starts_with('.')), "{:?}", session.list());
}

#[test]
fn a_folder_has_a_card_of_its_own() {
    let session = with_task();
    session.copy_of("llama", "base");
    session.write("base/README.md", "---\nlicense: apache-2.0\nlanguage: en\n---\n# The base's own words\n");
    let task = session.path("task.jsonl").display().to_string();
    session.prints(&format!(
        "search base --task {task} --layers 1 --matrices fc_in,fc_out --rho 0.5,0.1 --quiet --out run"
    ));
    session.prints("apply base --recipe run --out out --quiet");
    let card = session.read("out/README.md");
    assert!(!card.contains(&task) && !session.read("out/laser.json").contains(&task), "{card}");
    for part in [
        "license: apache-2.0",
        "base_model: \"base\"",
        "tags:\n- laser",
        "## What was edited",
        "| base | ",
        "| edited | ",
        "95 % interval [",
        "The verdict is **",
        "laser apply base --reduce 1.",
        "task.jsonl",
    ] {
        assert!(card.contains(part), "no {part:?} in {card}");
    }
    assert!(!card.contains("own words"));
    // A recipe for another model is refused.
    let other = fixture("qwen3").display().to_string();
    let (_, message) = session.fails(&format!("apply {other} --recipe run --out other"));
    assert!(message.contains("found for other model files"), "{message}");
}

/// The families that llama.cpp has: the file computes what the folder does.
#[test]
fn a_gguf_file_of_a_folder_computes_the_same() {
    let session = with_task();
    for family in [
        "llama",
        "llama3_rope",
        "llama_linear_rope",
        "gpt2",
        "phi3",
        "qwen2",
        "qwen3",
        "gemma",
        "gemma2",
        "mixtral",
        "gpt_neox",
        "stablelm",
        "starcoder2",
        "olmo2",
        "phi",
        "qwen3_moe",
    ] {
        let model = fixture(family).display().to_string();
        let edits = "--reduce 1.q_proj:0.1 --reduce 1.fc_out:0.2 --reduce 0.fc_in:0.3";
        session.prints(&format!("apply {model} {edits} --format gguf --out {family}.gguf"));
        let (here, there) = (log_loss(&session, &model, edits), log_loss(&session, &format!("{family}.gguf"), ""));
        assert!((here - there).abs() < 1e-5 * here.abs(), "{family}: {here} and {there}");
    }
    let bert = fixture("bert").display().to_string();
    let (_, message) = session.fails(&format!("apply {bert} --reduce 1.fc_in:0.1 --format gguf --out bert.gguf"));
    assert!(message.contains("gguf") && message.contains("hf"), "{message}");
}

#[test]
fn a_gguf_file_is_edited_where_it_is_asked_to() {
    let session = with_task();
    let model = fixture("llama").display().to_string();
    session.prints(&format!("apply {model} --reduce 0.k_proj:rank=12 --format gguf --quant f16 --out base.gguf"));
    session.prints("apply base.gguf --reduce 1.fc_in:0.1 --format gguf --out edited.gguf");
    let (base, edited) = (fs::read(session.path("base.gguf")).unwrap(), fs::read(session.path("edited.gguf")).unwrap());
    assert_eq!(base.len(), edited.len());
    // One run of bytes differs: that of the one matrix, 96 x 48 values of two bytes.
    let different: Vec<usize> = (0..base.len()).filter(|&at| base[at] != edited[at]).collect();
    let (first, last) = (different[0], different[different.len() - 1]);
    assert!(last - first < 96 * 48 * 2 && different.len() > 96 * 48 / 2, "{first}..={last}");

    // Rows of 48 values are not a multiple of q8_0's 32.
    let (_, message) =
        session.fails("apply base.gguf --reduce 1.fc_in:0.1 --format gguf --quant q8_0 --out other.gguf");
    assert!(message.contains("its rows of 48 are not a multiple of 32") && message.contains("--quant"), "{message}");
    // Those of 96 are.
    let said = session.prints("apply base.gguf --reduce 1.fc_out:0.1 --format gguf --quant q8_0 --out other.gguf");
    assert!(said.contains("1.fc_out: rounding to q8_0 changes it by"), "{said}");
    let (here, there) =
        (log_loss(&session, "base.gguf", "--reduce 1.fc_out:0.1"), log_loss(&session, "other.gguf", ""));
    assert!(here != there && (here - there).abs() < 1e-2 * here, "{here} and {there}");
    let (code, message) = session.fails("apply base.gguf --reduce 1.fc_out:0.1 --format gguf --quant q9 --out x.gguf");
    assert!(code == 2 && message.contains("q5_1"), "{message}");
}

#[test]
fn a_lora_is_written_where_little_is_taken_away() {
    let session = with_task();
    let model = fixture("llama").display().to_string();
    session
        .prints(&format!("apply {model} --reduce 1.fc_in:0.9 --reduce 0.q_proj:band=0.1,0.2 --format lora --out lora"));
    let names: Vec<String> = files(&session.path("lora")).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["README.md", "adapter.gguf", "adapter_config.json", "adapter_model.safetensors", "laser.json"]);
    let config = session.json("lora/adapter_config.json");
    assert_eq!(config["rank_pattern"]["model.layers.1.mlp.gate_proj"], 5);
    let (_, message) = session.fails(&format!("apply {model} --reduce 1.fc_in:0.1 --format lora --out other"));
    assert!(
        message.contains("takes away 44 of 48 components and keeps 4") && message.contains("hf-factored"),
        "{message}"
    );
    let (_, message) = session.fails(&format!("apply {model} --reduce 1.fc_in:prune=0.1 --format lora --out other"));
    assert!(message.contains("no sum of singular components"), "{message}");
    assert_eq!(session.list(), ["lora", "task.jsonl"]);
}

#[test]
fn what_a_token_costs_is_of_what_is_stored() {
    let session = Session::new();
    let apply = |arguments: &str| -> serde_json::Value {
        serde_json::from_str(&session.prints(&format!("apply {arguments} --json --quiet"))).unwrap()
    };
    let llama = fixture("llama").display().to_string();
    let thin = apply(&format!("{llama} --reduce *.all:0.1 --format hf-factored --out thin"));
    assert!(thin["products_after"].as_u64().unwrap() < thin["products_before"].as_u64().unwrap());
    // From the thin model, written whole.
    let whole = apply("thin --reduce 0.fc_in:rank=2 --out whole");
    assert_eq!(
        (&whole["products_before"], &whole["products_after"]),
        (&thin["products_after"], &thin["products_before"])
    );
    let edit = &whole["interventions"][0]["stored"];
    assert!(edit["products_before"].as_u64().unwrap() < edit["products_after"].as_u64().unwrap(), "{edit}");
    assert!(edit["bytes_before"].as_u64().unwrap() < edit["bytes_after"].as_u64().unwrap(), "{edit}");
}
