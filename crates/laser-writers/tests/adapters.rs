//! The numbers of an adapter: W + b a is the edited matrix, in each tensor's own layout.
#![allow(missing_docs)]

#[path = "../../laser-checkpoint/tests/common/mod.rs"]
mod common;

use std::fs;

use common::fixture;
use laser_checkpoint::{Checkpoint, Precision};
use laser_edit::{Intervention, InterventionSpec};
use laser_writers::{HuggingFaceWriter, LoraWriter, WriteOptions, write_model};
use safetensors::SafeTensors;

fn values(tensors: &SafeTensors, name: &str) -> (Vec<usize>, Vec<f32>) {
    let view = tensors.tensor(name).unwrap();
    (view.shape().to_vec(), Precision::F32.decode(view.data()))
}

#[test]
fn an_adapter_makes_the_edited_weights() {
    for family in ["llama", "gpt2", "phi3", "gpt_neox"] {
        let source = Checkpoint::open(&fixture(family)).unwrap();
        // Two parts of one tensor, in the families that fuse them.
        let specs: Vec<InterventionSpec> =
            ["1.q_proj:0.9", "1.v_proj:0.8", "0.fc_out:0.95"].iter().map(|text| text.parse().unwrap()).collect();
        let edits: Vec<Intervention> = InterventionSpec::expand_all(&specs, source.config()).unwrap();
        let place = tempfile::tempdir().unwrap();
        let (edited, lora) = (place.path().join("edited"), place.path().join("lora"));
        write_model(&source, &edits, &edited, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap();
        let writer = LoraWriter { base: family.to_owned() };
        write_model(&source, &edits, &lora, &writer, &WriteOptions::default()).unwrap();
        let read = |path: std::path::PathBuf| fs::read(path).unwrap();
        let (base, edited) = (read(fixture(family).join("model.safetensors")), read(edited.join("model.safetensors")));
        let adapter = read(lora.join("adapter_model.safetensors"));
        let [base, edited, adapter] = [&base, &edited, &adapter].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
        let mut adapted = 0;
        for name in base.names() {
            let (shape, mut whole) = values(&base, name);
            let module = name.strip_suffix(".weight").unwrap_or(name);
            let end = |end: &str| format!("base_model.model.{module}.{end}.weight");
            if adapter.tensor(&end("lora_A")).is_ok() {
                let ((a_shape, a), (_, b)) = (values(&adapter, &end("lora_A")), values(&adapter, &end("lora_B")));
                let (rank, inputs) = (a_shape[0], a_shape[1]);
                let outputs = b.len() / rank;
                for row in 0..outputs {
                    for col in 0..inputs {
                        let change: f32 = (0..rank).map(|k| b[row * rank + k] * a[k * inputs + col]).sum();
                        // GPT-2 keeps its weights as [inputs, outputs].
                        let at = if shape == [outputs, inputs] && family != "gpt2" {
                            row * inputs + col
                        } else {
                            col * outputs + row
                        };
                        whole[at] += change;
                    }
                }
                adapted += 1;
            }
            for (found, expected) in whole.iter().zip(values(&edited, name).1) {
                assert!((found - expected).abs() < 1e-5, "{family} {name}: {found} and {expected}");
            }
        }
        assert_eq!(adapted, if family == "llama" { 3 } else { 2 }, "{family}");
        assert!(lora.join("adapter.gguf").is_file(), "{family}");
    }
}
