//! An edited model as a GGUF file.

use laser_checkpoint::{Checkpoint, Convention, Precision, gguf_config, rope_factors};
use laser_files::Form;
use serde_json::{Value, json};

use crate::{
    edited_checkpoint::EditedCheckpoint,
    error::{Result, WriteError},
    gguf_file::{ALIGNMENT, GgufTensor, head, put_file},
    model_writer::ModelWriter,
    placed_params::{PlacedParam, assembled, by_tensor, copy, encoded},
    same_config,
    staged_file::StagedFile,
    staging::Staging,
};

/// Writes one GGUF file.
///
/// From a GGUF file: metadata and untouched tensors byte for byte, edited ones in the type that they
/// have. From a Hugging Face folder: what llama.cpp needs, matrices in the type that they have, norms and
/// biases as f32.
#[derive(Clone, Debug, Default)]
pub struct GgufWriter {
    /// The type of what is encoded; by default that of the source.
    pub precision: Option<Precision>,
    /// Of a Hugging Face source: the tokenizer's metadata, under the keys of GGUF files.
    pub tokenizer: Vec<(String, Value)>,
    /// Of a Hugging Face source: the model's name.
    pub name: String,
}

enum Content {
    Copy(bool),
    Assembled(Vec<PlacedParam>),
    Values(Vec<f32>),
}

impl ModelWriter for GgufWriter {
    fn form(&self) -> Form {
        Form::File
    }

    fn reserves(&self, _: &str) -> bool {
        true
    }

    fn write(&self, model: &EditedCheckpoint<'_>, to: &Staging) -> Result<()> {
        let checkpoint = model.checkpoint();
        let put = |tensor: &GgufTensor<Content>, to: &mut StagedFile| put(model, tensor, to);
        let write = |head: &[u8], alignment: usize, tensors: &[GgufTensor<Content>]| {
            to.file(&to.file_name(), |file| put_file(head, alignment, tensors, file, &put))
        };
        match checkpoint.gguf_head() {
            Some((head, alignment)) => write(head, alignment, &self.of_gguf(model)?),
            None => {
                let tensors = self.of_folder(model)?;
                write(&head(tensors.len(), &self.metadata(checkpoint, &tensors)?), ALIGNMENT, &tensors)?;
                same_config::check(checkpoint, &to.staged(), &|why| no_gguf(checkpoint, why))
            }
        }
    }
}

impl GgufWriter {
    fn of_gguf(&self, model: &EditedCheckpoint<'_>) -> Result<Vec<GgufTensor<Content>>> {
        let checkpoint = model.checkpoint();
        let mut by_name: std::collections::HashMap<String, Vec<PlacedParam>> =
            by_tensor(checkpoint.params(), |param| Ok(Some(checkpoint.layout(param)?)))?.into_iter().collect();
        let plan = |name: &str| {
            let stored = checkpoint.stored(name)?;
            let params = by_name.remove(name).unwrap_or_default();
            let (shape, own) = (stored.shape().to_vec(), stored.precision()?);
            let is_edited = params.iter().any(|placed| model.edit_of(placed.param).is_some());
            let precision = self.precision.filter(|_| is_edited).unwrap_or(own);
            let content = if is_edited { Content::Assembled(params) } else { Content::Copy(!params.is_empty()) };
            fitting(GgufTensor { name: name.to_owned(), shape, precision, content })
        };
        checkpoint.tensor_names().into_iter().map(plan).collect()
    }

    fn of_folder(&self, model: &EditedCheckpoint<'_>) -> Result<Vec<GgufTensor<Content>>> {
        let checkpoint = model.checkpoint();
        let layout = |param| {
            let layout = checkpoint.layout_in(param, Convention::Gguf);
            layout.map(Some).ok_or_else(|| no_gguf(checkpoint, &format!("it has no place for {}", param.kind)))
        };
        let mut tensors = Vec::new();
        if let Some((name, factors)) = rope_factors(checkpoint.architecture(), checkpoint.config()) {
            let shape = vec![factors.len()];
            tensors.push(GgufTensor { name, shape, precision: Precision::F32, content: Content::Values(factors) });
        }
        for (name, params) in by_tensor(checkpoint.params(), layout)? {
            let shape = params[0].layout.shape.clone();
            let is_matrix = shape.len() > 1;
            let is_router = params[0].param.kind == laser_checkpoint::ParamKind::Router;
            // llama.cpp computes with vectors and routers in f32.
            let precision = match is_matrix && !is_router {
                true => self.precision.map_or_else(|| checkpoint.stored_precision(params[0].param), Ok)?,
                false => Precision::F32,
            };
            tensors.push(fitting(GgufTensor { name, shape, precision, content: Content::Assembled(params) })?);
        }
        Ok(tensors)
    }

    fn metadata(&self, checkpoint: &Checkpoint, tensors: &[GgufTensor<Content>]) -> Result<Vec<(String, Value)>> {
        let config = gguf_config(checkpoint.architecture(), checkpoint.config())
            .ok_or_else(|| no_gguf(checkpoint, "llama.cpp does not have it"))?;
        let mut metadata = config;
        let most = tensors.iter().max_by_key(|tensor| tensor.bytes()).map_or(Precision::F32, |tensor| tensor.precision);
        metadata.insert(1, ("general.type".to_owned(), "model".into()));
        metadata.insert(2, ("general.name".to_owned(), self.name.as_str().into()));
        metadata.insert(3, ("general.file_type".to_owned(), file_type(most).into()));
        if most.is_quantised() {
            metadata.insert(4, ("general.quantization_version".to_owned(), json!(2)));
        }
        metadata.extend(self.tokenizer.iter().cloned());
        Ok(metadata)
    }
}

fn no_gguf(checkpoint: &Checkpoint, why: &str) -> WriteError {
    let what = format!("a model of the family {}", checkpoint.architecture().family);
    WriteError::Format { format: "gguf", what, why: format!("{why}: write it as hf") }
}

/// Refuses a type whose blocks do not divide a row.
fn fitting(tensor: GgufTensor<Content>) -> Result<GgufTensor<Content>> {
    let (row, block) = (tensor.shape.last().copied().unwrap_or(0), tensor.precision.block_values());
    if row.is_multiple_of(block) {
        return Ok(tensor);
    }
    let what = format!("tensor {:?} as {}", tensor.name, tensor.precision);
    let why = format!("its rows of {row} are not a multiple of {block}: give another type by --quant, such as f16");
    Err(WriteError::Format { format: "gguf", what, why })
}

/// llama.cpp's number for a file that is mostly of this type.
fn file_type(precision: Precision) -> u32 {
    match precision {
        // llama.cpp has no file type for float64.
        Precision::F32 | Precision::F64 => 0,
        Precision::F16 => 1,
        Precision::Q4_0 => 2,
        Precision::Q4_1 => 3,
        Precision::Q8_0 | Precision::Q8K => 7,
        Precision::Q5_0 => 8,
        Precision::Q5_1 => 9,
        Precision::Q2K => 10,
        Precision::Q3K => 12,
        Precision::Q4K => 15,
        Precision::Q5K => 17,
        Precision::Q6K => 18,
        Precision::BF16 => 32,
    }
}

fn put(model: &EditedCheckpoint<'_>, tensor: &GgufTensor<Content>, to: &mut StagedFile) -> Result<()> {
    let precision = tensor.precision;
    let params = match &tensor.content {
        Content::Copy(is_read) => return copy(&tensor.name, &model.checkpoint().stored(&tensor.name)?, *is_read, to),
        Content::Values(values) => return to.put(&encoded(&tensor.name, precision, values)?),
        Content::Assembled(params) => params,
    };
    let values = assembled(model, params, Convention::Gguf)?;
    let bytes = encoded(&tensor.name, precision, &values)?;
    to.put(&bytes)?;
    if params.iter().any(|placed| model.edit_of(placed.param).is_some()) {
        let rounding = (precision != Precision::F32).then(|| distance(&values, &precision.decode(&bytes)));
        for placed in params {
            model.note_stored(placed.param, precision, None)?;
            model.amend_stored(placed.param, |stored| stored.rounding = rounding);
        }
    }
    Ok(())
}

/// ||b - a|| / ||a||; 0 where both are zero.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let change = squares(&mut a.iter().zip(b).map(|(&a, &b)| f64::from(b) - f64::from(a)));
    if change == 0.0 { 0.0 } else { change / squares(&mut a.iter().map(|&a| f64::from(a))) }
}
