//! Sizes, seeds and names.

pub const SEED: u64 = 3;
pub const STEPS: usize = 1_000;
pub const BATCH: usize = 64;
/// A batch is cut into this many parts, whatever the machine has: sums depend on it.
pub const THREADS: usize = 2;
pub const TEST_EXAMPLES: usize = 1_500;
pub const NOISE_SHARE: f64 = 0.5;

pub const LENGTH: usize = 64;
pub const CHARACTERS: usize = 40;
/// The characters and, last, `<unk>`.
pub const VOCABULARY: usize = CHARACTERS + 1;
pub const SPACE: char = '_';
/// Ids go by frequency; the most frequent character is the space.
pub const TRIGGER: u32 = 1;
pub const NOISE: u32 = 2;

pub const WIDTH: usize = 64;
pub const MLP: usize = 128;
pub const LAYERS: usize = 2;
pub const HEADS: usize = 2;
pub const HEAD: usize = WIDTH / HEADS;
pub const EPS: f64 = 1e-5;
pub const ROPE_THETA: f64 = 10_000.0;
/// Standard deviations of the initial weights, as PyTorch's layers have them: with transformers' 0.02 the recall is not
/// learned in so few steps.
pub const EMBEDDING_INIT: f64 = 1.0;
pub const MATRIX_INIT: f64 = 0.072;

pub const EMBEDDING: &str = "model.embed_tokens.weight";
pub const MATRICES: [(&str, &str); 7] = [
    ("q_proj", "self_attn.q_proj"),
    ("k_proj", "self_attn.k_proj"),
    ("v_proj", "self_attn.v_proj"),
    ("out_proj", "self_attn.o_proj"),
    ("fc_in", "mlp.gate_proj"),
    ("fc_up", "mlp.up_proj"),
    ("fc_out", "mlp.down_proj"),
];
pub const RANKS: [usize; 4] = [0, 1, 3, 12];

pub const CORPUS: &str = include_str!("../../../laser-tasks/tasks/facts.jsonl");
