//! Trains the demo model and writes it with its task:
//!
//!     cargo run --release -p laser-rank --example train-demo-model -- crates/laser/assets/demo
//!
//! The task is noisy in-context recall (Chen, Bruna, Bietti, arXiv 2406.03068). Characters follow the bigrams of our own
//! `facts` task; after each trigger character comes the sequence's own random target or, half of the time in training, one
//! fixed noise character. Attention learns to recall the target and the feed-forward weights memorise the noise, so that
//! reducing the right feed-forward matrix leaves the recall. Test sequences have no noise.
//!
//! A text is its characters with spaces between, the space itself written `_`; each character is one token.
//!
//! Weights and data come from one seeded generator, and every sum is taken in a fixed order: the same kind of machine makes
//! the same files again, byte for byte. Then the table of what each reduction does to the accuracy goes to stderr. An
//! optional second argument is the number of steps.
//!
//! The program runs two threads of its own; `CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=1` keeps candle from adding more that
//! spin, and with glibc `MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592` keeps memory from being
//! given back at each step: two minutes on two cores. Neither changes a byte.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::{env, fs, thread};

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::{D, Device, Tensor, Var};
use candle_nn::ops::{log_softmax, softmax};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use laser_linalg::{Svd, product};
use laser_matrix::Matrix;
use safetensors::tensor::TensorView;
use serde_json::json;

const SEED: u64 = 3;
const STEPS: usize = 1_000;
const BATCH: usize = 64;
/// A batch is cut into this many parts, whatever the machine has: sums depend on it.
const THREADS: usize = 2;
const TEST_EXAMPLES: usize = 1_500;
const NOISE_SHARE: f64 = 0.5;

const LENGTH: usize = 64;
const CHARACTERS: usize = 40;
/// The characters and, last, `<unk>`.
const VOCABULARY: usize = CHARACTERS + 1;
const SPACE: char = '_';
/// Ids go by frequency; the most frequent character is the space.
const TRIGGER: u32 = 1;
const NOISE: u32 = 2;

const WIDTH: usize = 64;
const MLP: usize = 128;
const LAYERS: usize = 2;
const HEADS: usize = 2;
const HEAD: usize = WIDTH / HEADS;
const EPS: f64 = 1e-5;
const ROPE_THETA: f64 = 10_000.0;
/// Standard deviations of the initial weights, as PyTorch's layers have them: with transformers' 0.02 the recall is not
/// learned in so few steps.
const EMBEDDING_INIT: f64 = 1.0;
const MATRIX_INIT: f64 = 0.072;

const EMBEDDING: &str = "model.embed_tokens.weight";
const MATRICES: [(&str, &str); 7] = [
    ("q_proj", "self_attn.q_proj"),
    ("k_proj", "self_attn.k_proj"),
    ("v_proj", "self_attn.v_proj"),
    ("out_proj", "self_attn.o_proj"),
    ("fc_in", "mlp.gate_proj"),
    ("fc_up", "mlp.up_proj"),
    ("fc_out", "mlp.down_proj"),
];
const RANKS: [usize; 4] = [0, 1, 3, 12];

const CORPUS: &str = include_str!("../../laser-tasks/tasks/facts.jsonl");

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let out = PathBuf::from(args.next().context("usage: train-demo-model OUT [STEPS]")?);
    let steps = args.next().map_or(Ok(STEPS), |s| s.parse())?;

    let mut rng = SplitMix64(SEED);
    let language = Language::count(CORPUS)?;
    let model = train(&language, &mut rng, steps)?;
    let examples: Vec<_> = (0..TEST_EXAMPLES).map(|_| language.example(&mut rng)).collect();

    fs::create_dir_all(&out)?;
    write_checkpoint(&out, &language, &model)?;
    write_task(&out, &language, &examples)?;
    report(&model, &examples)
}

// ---------------------------------------------------------------------------------------------------------------- data

/// Sebastiano Vigna's SplitMix64.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1).
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box-Muller).
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// An index drawn in proportion to `weights`.
    fn choose(&mut self, weights: &[f64]) -> u32 {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        let found = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        found.unwrap_or(weights.len() - 1) as u32
    }
}

/// A test sequence, cut after its last trigger, and the character that follows.
struct Example {
    prompt: Vec<u32>,
    answer: u32,
}

/// The characters, most frequent first, and what follows what.
struct Language {
    characters: Vec<char>,
    frequency: Vec<f64>,
    bigram: Vec<Vec<f64>>,
    /// A sequence's target is any character but trigger and noise.
    target: Vec<f64>,
}

impl Language {
    fn count(jsonl: &str) -> Result<Self> {
        let mut text = String::new();
        for line in jsonl.lines() {
            let row: serde_json::Value = serde_json::from_str(line)?;
            for key in ["prompt", "answer"] {
                text += row[key].as_str().with_context(|| format!("a row without {key}"))?;
                text.push(' ');
            }
        }
        let text: Vec<char> = text.to_lowercase().replace(' ', &SPACE.to_string()).chars().collect();

        let mut counts: BTreeMap<char, usize> = BTreeMap::new();
        for &c in &text {
            *counts.entry(c).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_by_key(|&(c, n)| (std::cmp::Reverse(n), c));
        counts.truncate(CHARACTERS);
        ensure!(counts.len() == CHARACTERS && counts[0].0 == SPACE, "the corpus has too few characters");

        let characters: Vec<char> = counts.iter().map(|&(c, _)| c).collect();
        let id: HashMap<char, usize> = characters.iter().enumerate().map(|(i, &c)| (c, i)).collect();
        // The small count for what never occurs leaves no row empty.
        let mut bigram = vec![vec![0.1; CHARACTERS]; CHARACTERS];
        for pair in text.windows(2) {
            if let (Some(&a), Some(&b)) = (id.get(&pair[0]), id.get(&pair[1])) {
                bigram[a][b] += 1.0;
            }
        }
        let mut target = vec![1.0; CHARACTERS];
        target[TRIGGER as usize] = 0.0;
        target[NOISE as usize] = 0.0;
        let frequency = counts.iter().map(|&(_, n)| n as f64).collect();
        Ok(Self { characters, frequency, bigram, target })
    }

    fn sequence(&self, rng: &mut SplitMix64, noise_share: f64) -> Vec<u32> {
        let target = rng.choose(&self.target);
        let mut ids = vec![rng.choose(&self.frequency)];
        while ids.len() < LENGTH {
            ids.push(match ids[ids.len() - 1] {
                TRIGGER if rng.uniform() < noise_share => NOISE,
                TRIGGER => target,
                last => rng.choose(&self.bigram[last as usize]),
            });
        }
        ids
    }

    fn example(&self, rng: &mut SplitMix64) -> Example {
        loop {
            let mut prompt = self.sequence(rng, 0.0);
            let triggers: Vec<usize> = (0..LENGTH - 1).filter(|&i| prompt[i] == TRIGGER).collect();
            if let [.., _, last] = triggers[..] {
                let answer = prompt[last + 1];
                prompt.truncate(last + 1);
                return Example { prompt, answer };
            }
        }
    }

    fn text(&self, ids: &[u32]) -> String {
        let characters: Vec<String> = ids.iter().map(|&i| self.characters[i as usize].to_string()).collect();
        characters.join(" ")
    }
}

// --------------------------------------------------------------------------------------------------------------- model

/// LlamaForCausalLM, its weights by their Hugging Face names.
#[derive(Clone)]
struct Model(BTreeMap<String, Tensor>);

fn matrix_name(layer: usize, part: &str) -> String {
    format!("model.layers.{layer}.{part}.weight")
}

/// Tensor names and shapes; the norms are the vectors.
fn shapes() -> Vec<(String, Vec<usize>)> {
    let mut shapes = vec![(EMBEDDING.to_owned(), vec![VOCABULARY, WIDTH])];
    for layer in 0..LAYERS {
        for (_, part) in MATRICES {
            let shape = match part {
                "mlp.gate_proj" | "mlp.up_proj" => vec![MLP, WIDTH],
                "mlp.down_proj" => vec![WIDTH, MLP],
                _ => vec![WIDTH, WIDTH],
            };
            shapes.push((matrix_name(layer, part), shape));
        }
        for norm in ["input_layernorm", "post_attention_layernorm"] {
            shapes.push((matrix_name(layer, norm), vec![WIDTH]));
        }
    }
    shapes.push(("model.norm.weight".to_owned(), vec![WIDTH]));
    shapes.push(("lm_head.weight".to_owned(), vec![VOCABULARY, WIDTH]));
    shapes
}

impl Model {
    /// Logits (positions, vocabulary) at `positions` of the flattened token ids (sequences, length).
    ///
    /// Plain operations only: candle's fused softmax, norm and rotary embedding have no gradient.
    fn logits(&self, ids: &Tensor, positions: &[u32]) -> Result<Tensor> {
        let (batch, length) = ids.dims2()?;
        let rotary = Rotary::new(length)?;
        let mask: Vec<f32> =
            (0..length * length).map(|i| if i % length > i / length { f32::NEG_INFINITY } else { 0.0 }).collect();
        let mask = Tensor::from_vec(mask, (length, length), &Device::Cpu)?;
        let heads = |x: Tensor| -> Result<Tensor> {
            Ok(x.reshape((batch, length, HEADS, HEAD))?.transpose(1, 2)?.contiguous()?)
        };

        let mut x = self.0[EMBEDDING].index_select(&ids.flatten_all()?, 0)?;
        for layer in 0..LAYERS {
            let normed = self.norm(&x, &matrix_name(layer, "input_layernorm"))?;
            let q = rotary.apply(&heads(self.linear(&normed, layer, "self_attn.q_proj")?)?)?;
            let k = rotary.apply(&heads(self.linear(&normed, layer, "self_attn.k_proj")?)?)?;
            let v = heads(self.linear(&normed, layer, "self_attn.v_proj")?)?;
            let scores = (q.matmul(&k.t()?)? / (HEAD as f64).sqrt())?.broadcast_add(&mask)?;
            let mixed = softmax(&scores, D::Minus1)?.matmul(&v)?.transpose(1, 2)?;
            let mixed = mixed.reshape((batch * length, WIDTH))?;
            x = (x + self.linear(&mixed, layer, "self_attn.o_proj")?)?;

            let normed = self.norm(&x, &matrix_name(layer, "post_attention_layernorm"))?;
            let gate = self.linear(&normed, layer, "mlp.gate_proj")?.silu()?;
            let up = self.linear(&normed, layer, "mlp.up_proj")?;
            x = (x + self.linear(&(gate * up)?, layer, "mlp.down_proj")?)?;
        }
        let x = x.index_select(&Tensor::new(positions, &Device::Cpu)?, 0)?;
        Ok(self.norm(&x, "model.norm.weight")?.matmul(&self.0["lm_head.weight"].t()?)?)
    }

    fn linear(&self, x: &Tensor, layer: usize, part: &str) -> Result<Tensor> {
        Ok(x.matmul(&self.0[&matrix_name(layer, part)].t()?)?)
    }

    fn norm(&self, x: &Tensor, name: &str) -> Result<Tensor> {
        let rms = (x.sqr()?.mean_keepdim(D::Minus1)? + EPS)?.sqrt()?;
        Ok(x.broadcast_div(&rms)?.broadcast_mul(&self.0[name])?)
    }

    fn matrix(&self, name: &str) -> Result<Matrix> {
        let tensor = &self.0[name];
        let (rows, cols) = tensor.dims2()?;
        Ok(Matrix::new(rows, cols, tensor.flatten_all()?.to_vec1()?)?)
    }

    fn with_matrix(&self, name: &str, matrix: &Matrix) -> Result<Self> {
        let mut model = self.clone();
        let tensor = Tensor::from_slice(matrix.data(), (matrix.rows(), matrix.cols()), &Device::Cpu)?;
        model.0.insert(name.to_owned(), tensor);
        Ok(model)
    }
}

/// The half-split rotary embedding; cosines and sines are (length, head size).
struct Rotary {
    cos: Tensor,
    sin: Tensor,
}

impl Rotary {
    fn new(length: usize) -> Result<Self> {
        let angles: Vec<f32> = (0..length * HEAD)
            .map(|i| {
                let (position, pair) = (i / HEAD, i % HEAD % (HEAD / 2));
                (position as f64 / ROPE_THETA.powf(2.0 * pair as f64 / HEAD as f64)) as f32
            })
            .collect();
        let angles = Tensor::from_vec(angles, (length, HEAD), &Device::Cpu)?;
        Ok(Self { cos: angles.cos()?, sin: angles.sin()? })
    }

    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let first = x.narrow(D::Minus1, 0, HEAD / 2)?;
        let second = x.narrow(D::Minus1, HEAD / 2, HEAD / 2)?;
        let turned = Tensor::cat(&[&second.neg()?, &first], D::Minus1)?;
        Ok((x.broadcast_mul(&self.cos)? + turned.broadcast_mul(&self.sin)?)?)
    }
}

// ------------------------------------------------------------------------------------------------------------ training

fn train(language: &Language, rng: &mut SplitMix64, steps: usize) -> Result<Model> {
    let mut vars = BTreeMap::new();
    for (name, shape) in shapes() {
        let size = shape.iter().product();
        let deviation = if name == EMBEDDING { EMBEDDING_INIT } else { MATRIX_INIT };
        let values: Vec<f32> = match shape.len() {
            1 => vec![1.0; size],
            _ => (0..size).map(|_| (deviation * rng.normal()) as f32).collect(),
        };
        vars.insert(name, Var::from_vec(values, shape, &Device::Cpu)?);
    }
    let model = Model(vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect());
    let params = ParamsAdamW { lr: 3e-3, weight_decay: 1e-4, ..Default::default() };
    let vars: Vec<Var> = vars.into_values().collect();
    let mut optimizer = AdamW::new(vars.clone(), params)?;

    for step in 1..=steps {
        let batches: Vec<Batch> = (0..THREADS).map(|_| Batch::draw(language, rng)).collect::<Result<_>>()?;
        let scored: usize = batches.iter().map(|batch| batch.labels.len()).sum();
        let losses = parallel(&batches, |batch| {
            let loss = (batch.loss(&model)? / scored as f64)?;
            Ok((loss.to_scalar::<f32>()?, loss.backward()?))
        })?;
        let loss: f32 = losses.iter().map(|(loss, _)| loss).sum();
        let mut gradients = losses.into_iter().map(|(_, gradients)| gradients);
        let mut sum = gradients.next().context("no batch")?;
        for other in gradients {
            for var in &vars {
                let both = (sum.get(var).context("no gradient")? + other.get(var).context("no gradient")?)?;
                sum.insert(var, both);
            }
        }
        optimizer.step(&sum)?;
        if step % 100 == 0 {
            eprintln!("step {step:5}  loss {loss:.4}");
        }
    }
    Ok(Model(model.0.iter().map(|(name, w)| (name.clone(), w.detach())).collect()))
}

/// Sequences and the positions whose next character is scored.
struct Batch {
    ids: Tensor,
    positions: Vec<u32>,
    labels: Vec<u32>,
}

impl Batch {
    /// One thread's part of a training batch.
    fn draw(language: &Language, rng: &mut SplitMix64) -> Result<Self> {
        let (mut ids, mut positions, mut labels) = (vec![], vec![], vec![]);
        for _ in 0..BATCH / THREADS {
            let sequence = language.sequence(rng, NOISE_SHARE);
            let triggers = (0..LENGTH - 1).filter(|&i| sequence[i] == TRIGGER);
            // What follows the first trigger cannot be known.
            for i in triggers.skip(1) {
                positions.push((ids.len() + i) as u32);
                labels.push(sequence[i + 1]);
            }
            ids.extend(sequence);
        }
        Self::new(ids, positions, labels)
    }

    fn of(examples: &[Example]) -> Result<Self> {
        let (mut ids, mut positions) = (vec![], vec![]);
        for example in examples {
            ids.extend(&example.prompt);
            positions.push(ids.len() as u32 - 1);
            // Attention looks back only, so that what fills the row is of no matter.
            ids.resize(ids.len().next_multiple_of(LENGTH), 0);
        }
        Self::new(ids, positions, examples.iter().map(|example| example.answer).collect())
    }

    fn new(ids: Vec<u32>, positions: Vec<u32>, labels: Vec<u32>) -> Result<Self> {
        let rows = ids.len() / LENGTH;
        let ids = Tensor::from_vec(ids, (rows, LENGTH), &Device::Cpu)?;
        Ok(Self { ids, positions, labels })
    }

    /// Log-probabilities (scored positions, vocabulary), natural logarithm.
    fn log_probs(&self, model: &Model) -> Result<Tensor> {
        Ok(log_softmax(&model.logits(&self.ids, &self.positions)?, D::Minus1)?)
    }

    /// The negative log-probability of the labels, summed.
    fn loss(&self, model: &Model) -> Result<Tensor> {
        let labels = Tensor::new(self.labels.as_slice(), &Device::Cpu)?.unsqueeze(1)?;
        Ok(self.log_probs(model)?.gather(&labels, 1)?.sum_all()?.neg()?)
    }
}

/// `work` on each item, a thread an item; results in the items' order.
fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        threads.into_iter().map(|t| t.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    })
}

/// Share of right arg-maxes and mean negative log-probability (nats) of the answers.
fn evaluate(model: &Model, examples: &[Example]) -> Result<(f64, f64)> {
    let parts: Vec<_> = examples.chunks(examples.len().div_ceil(THREADS)).collect();
    let sums = parallel(&parts, |part| {
        let (mut right, mut loss) = (0, 0.0);
        for batch in part.chunks(BATCH).map(Batch::of) {
            let batch = batch?;
            for (row, label) in batch.log_probs(model)?.to_vec2::<f32>()?.iter().zip(&batch.labels) {
                let answer = row[*label as usize];
                right += usize::from(row.iter().all(|&p| p <= answer));
                loss -= f64::from(answer);
            }
        }
        Ok((right, loss))
    })?;
    let (right, loss) = sums.iter().fold((0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let n = examples.len() as f64;
    Ok((right as f64 / n, loss / n))
}

fn report(model: &Model, examples: &[Example]) -> Result<()> {
    let (accuracy, loss) = evaluate(model, examples)?;
    eprintln!(
        "\naccuracy in % (log-loss) on {} test examples\nbase        {:5.1} ({loss:.2})",
        examples.len(),
        100.0 * accuracy
    );
    eprint!("rank      ");
    for rank in RANKS {
        eprint!("{rank:>14}");
    }
    for layer in 0..LAYERS {
        for (kind, part) in MATRICES {
            eprint!("\n{layer}.{kind:8}");
            let name = matrix_name(layer, part);
            let svd = Svd::of(&model.matrix(&name)?)?;
            for rank in RANKS {
                let reduced = model.with_matrix(&name, &product(&svd.components(&[0..rank])))?;
                let (accuracy, loss) = evaluate(&reduced, examples)?;
                eprint!("  {:5.1} ({loss:4.2})", 100.0 * accuracy);
            }
        }
    }
    eprintln!();
    Ok(())
}

// --------------------------------------------------------------------------------------------------------------- files

fn write_checkpoint(out: &Path, language: &Language, model: &Model) -> Result<()> {
    let config = json!({
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": false,
        "bos_token_id": null,
        "eos_token_id": null,
        "head_dim": HEAD,
        "hidden_act": "silu",
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "max_position_embeddings": LENGTH,
        "mlp_bias": false,
        "model_type": "llama",
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "num_key_value_heads": HEADS,
        "rms_norm_eps": EPS,
        "rope_theta": ROPE_THETA,
        "tie_word_embeddings": false,
        "torch_dtype": "float32",
        "vocab_size": VOCABULARY,
    });
    let words = language.characters.iter().map(char::to_string).chain(["<unk>".to_owned()]);
    let vocabulary: BTreeMap<String, usize> = words.zip(0..).collect();
    let tokenizer = json!({
        "added_tokens": [],
        "decoder": null,
        "model": { "type": "WordLevel", "unk_token": "<unk>", "vocab": vocabulary },
        "normalizer": null,
        "padding": null,
        "post_processor": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "truncation": null,
        "version": "1.0",
    });
    let tokenizer_config = json!({
        "clean_up_tokenization_spaces": false,
        "model_max_length": LENGTH,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
    });
    for (file, value) in
        [("config.json", config), ("tokenizer.json", tokenizer), ("tokenizer_config.json", tokenizer_config)]
    {
        fs::write(out.join(file), serde_json::to_string_pretty(&value)? + "\n")?;
    }

    let mut bytes = vec![];
    for (name, tensor) in &model.0 {
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        bytes.push((name, tensor.dims().to_vec(), data));
    }
    let views = bytes
        .iter()
        .map(|(name, shape, data)| Ok((name, TensorView::new(safetensors::Dtype::F32, shape.clone(), data)?)))
        .collect::<Result<Vec<_>>>()?;
    // transformers refuses a file that does not say what wrote it.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    fs::write(out.join("model.safetensors"), safetensors::serialize(views, Some(metadata))?)?;
    Ok(())
}

fn write_task(out: &Path, language: &Language, examples: &[Example]) -> Result<()> {
    let yaml = r#"task: demo
dataset_path: json
dataset_kwargs:
  data_files: demo.jsonl
output_type: generate_until
doc_to_text: "{{prompt}}"
doc_to_target: "{{answer}}"
generation_kwargs:
  max_gen_toks: 1
"#;
    fs::write(out.join("demo.yaml"), yaml)?;
    let mut rows = String::new();
    for (i, Example { prompt, answer }) in examples.iter().enumerate() {
        let row = json!({
            "answer": language.text(&[*answer]),
            "id": format!("demo-{i}"),
            "prompt": language.text(prompt),
        });
        rows += &format!("{row}\n");
    }
    fs::write(out.join("demo.jsonl"), rows)?;
    Ok(())
}
