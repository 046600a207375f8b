//! Every operation of the CPU against the reference backend, on random shapes.

use laser_kernels::{
    Activation, AttentionScores, Backend, Cpu, Differentiable, Error, ExpertChoice, KvIndices, Linear, Mixture, Mlp,
    Norm, NormKind, Precision, Reading, Reference, RotaryPairs, Rotation, SourceError, WeightSource,
};
use laser_matrix::Matrix;
use proptest::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Values of about a standard normal distribution.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }

    fn value(&mut self) -> f32 {
        (0..6).map(|_| self.below(1 << 20) as f32 / (1 << 20) as f32 - 0.5).sum::<f32>() * 1.4
    }

    fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.value()).collect()
    }

    fn matrix(&mut self, rows: usize, cols: usize) -> Matrix {
        let scale = 1.0 / (cols as f32).sqrt();
        Matrix::new(rows, cols, (0..rows * cols).map(|_| scale * self.value()).collect()).unwrap()
    }
}

/// What an operation gives on a backend; the same operands are made on each.
fn run<B: Backend>(backend: &B, operation: impl Fn(&B) -> Result<B::Rows, Error>) -> Vec<f32> {
    backend.to_host(&operation(backend).unwrap()).unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |max, d| if d > max || d.is_nan() { d } else { max })
}

/// Runs one operation on both backends: `both!(|backend| ..., tolerance)`.
macro_rules! both {
    (|$backend:ident| $operation:expr, $tolerance:expr) => {{
        let on_cpu = run(&Cpu, |$backend: &Cpu| $operation);
        let on_reference = run(&Reference::cpu(), |$backend: &Reference| $operation);
        let difference = furthest(&on_cpu, &on_reference);
        prop_assert!(difference <= $tolerance, "{difference}");
        on_cpu
    }};
}

const ACTIVATIONS: [Activation; 5] =
    [Activation::Silu, Activation::Gelu, Activation::GeluTanh, Activation::Relu, Activation::ReluSquared];

fn linear<B: Backend>(backend: &B, matrix: &Matrix, bias: Option<&[f32]>) -> Linear<B::Weight, B::Vector> {
    let weight = backend.weight(matrix, Precision::F32).unwrap();
    Linear { weight: Arc::new(weight), bias: bias.map(|bias| backend.vector(bias.to_vec()).unwrap()) }
}

fn mlp<B: Backend>(
    backend: &B,
    [fc_in, fc_up, fc_out]: &[Matrix; 3],
    gated: bool,
    activation: Activation,
) -> Mlp<B::Weight, B::Vector> {
    Mlp {
        activation,
        fc_in: linear(backend, fc_in, None),
        fc_up: gated.then(|| linear(backend, fc_up, None)),
        fc_out: linear(backend, fc_out, None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..laser_testing::cases() })]

    #[test]
    fn rows_and_tables(rows in 1usize..40, width in 1usize..90, seed: u64) {
        let mut random = Random(seed);
        let x = random.values(rows * width);
        let picked: Vec<u32> = (0..2 * rows).map(|_| random.below(rows) as u32).collect();
        let cut = random.below(rows);
        both!(|backend| backend.select(&backend.rows(x.clone(), width)?, &backend.indices(&picked)?), 0.0);
        both!(|backend| {
            let x = backend.rows(x.clone(), width)?;
            let parts = vec![backend.slice(&x, cut..rows)?, backend.slice(&x, 0..cut)?, x.clone()];
            let parts = parts.into_iter().filter(|part| backend.to_host(part).is_ok_and(|values| !values.is_empty()));
            backend.concat(parts.collect())
        }, 0.0);
        // Places behind the end, and again over what is there.
        let mut places: Vec<u32> = (0..3 * rows as u32).collect();
        (0..places.len()).for_each(|i| { let j = random.below(places.len()); places.swap(i, j); });
        places.truncate(rows);
        both!(|backend| {
            let mut table = backend.table(1, width)?;
            let (all, x) = (backend.indices(&(0..3 * rows as u32).collect::<Vec<_>>())?, backend.rows(x.clone(), width)?);
            backend.write(&mut table, &all, &backend.concat(vec![x.clone(), x.clone(), x.clone()])?)?;
            backend.write(&mut table, &backend.indices(&places)?, &x)?;
            backend.gather(&table, &all)
        }, 0.0);
    }

    #[test]
    fn embeddings(tokens in 1usize..30, width in 1usize..70, scaled: bool, positioned: bool, seed: u64) {
        let mut random = Random(seed);
        let (table, positions) = (random.values(50 * width), random.values(20 * width));
        let ids: Vec<u32> = (0..tokens).map(|_| random.below(50) as u32).collect();
        let places: Vec<u32> = (0..tokens).map(|_| random.below(20) as u32).collect();
        let scale = scaled.then_some(7.48);
        both!(|backend| {
            let (table, ids) = (backend.table_of(table.clone(), width)?, backend.indices(&ids)?);
            let (positions, places) = (backend.table_of(positions.clone(), width)?, backend.indices(&places)?);
            backend.embed(&table, &ids, scale, positioned.then_some((&positions, &places)))
        }, 1e-6);
    }

    #[test]
    fn norms(rows in 1usize..30, pieces in 1usize..4, width in 1usize..200, seed: u64) {
        let mut random = Random(seed);
        let x: Vec<f32> = (0..rows * pieces * width).map(|_| 0.5 + 3.0 * random.value()).collect();
        let weight: Vec<f32> = (0..width).map(|_| 1.0 + 0.5 * random.value()).collect();
        let bias: Vec<f32> = random.values(width);
        for (kind, eps) in [(NormKind::Rms, 1e-6), (NormKind::Layer, 1e-5)] {
            both!(|backend| {
                let (weight, bias) = (backend.vector(weight.clone())?, backend.vector(bias.clone())?);
                backend.norm(&backend.rows(x.clone(), pieces * width)?, &Norm { kind, eps, weight, bias })
            }, 2e-5);
        }
        let short = Norm { kind: NormKind::Rms, eps: 1e-5, weight: Arc::new(weight), bias: Arc::new(random.values(width + 1)) };
        prop_assert!(Cpu.norm(&Cpu.rows(x, pieces * width).unwrap(), &short).is_err());
    }

    #[test]
    fn elementwise(rows in 1usize..40, width in 1usize..1300, seed: u64) {
        let mut random = Random(seed);
        let a: Vec<f32> = (0..rows * width).map(|_| 3.0 * random.value()).collect();
        let b: Vec<f32> = (0..rows * width).map(|_| 3.0 * random.value()).collect();
        both!(|backend| backend.add(&backend.rows(a.clone(), width)?, &backend.rows(b.clone(), width)?), 0.0);
        both!(|backend| {
            backend.add_scaled(&backend.rows(a.clone(), width)?, &backend.rows(b.clone(), width)?, 0.22)
        }, 1e-6);
        both!(|backend| {
            let gates = b.iter().step_by(width).copied().collect();
            backend.gate_rows(&backend.rows(a.clone(), width)?, &backend.rows(gates, 1)?)
        }, 1e-5);
        for activation in ACTIVATIONS {
            both!(|backend| backend.activate(&backend.rows(a.clone(), width)?, activation), 1e-5);
            both!(|backend| {
                backend.gated(&backend.rows(a.clone(), width)?, &backend.rows(b.clone(), width)?, activation)
            }, 3e-5);
        }
        let (a, b) = (Cpu.rows(a, width).unwrap(), Cpu.rows(vec![0.0; width * (rows + 1)], width).unwrap());
        prop_assert!(Cpu.add(&a, &b).is_err() && Cpu.gated(&a, &b, Activation::Relu).is_err());
    }

    #[test]
    fn products(rows in 1usize..70, inputs in 1usize..700, outputs in 1usize..200, biased: bool, seed: u64) {
        let mut random = Random(seed);
        let (x, matrix, bias) = (random.values(rows * inputs), random.matrix(outputs, inputs), random.values(outputs));
        let bias = biased.then_some(&bias[..]);
        both!(|backend| backend.linear(&backend.rows(x.clone(), inputs)?, &linear(backend, &matrix, bias)), 2e-5);
        prop_assert_eq!(&Cpu.to_dense(&Cpu.weight(&matrix, Precision::F32).unwrap()).unwrap(), &matrix);
        let reference = Reference::cpu();
        prop_assert_eq!(&reference.to_dense(&reference.weight(&matrix, Precision::F32).unwrap()).unwrap(), &matrix);
        let x = Cpu.rows(vec![0.0; inputs + 1], inputs + 1).unwrap();
        prop_assert!(Cpu.linear(&x, &linear(&Cpu, &matrix, None)).is_err());
    }

    #[test]
    fn products_of_weights_on_demand(rows in 1usize..20, inputs in 1usize..300, outputs in 1usize..600, seed: u64) {
        let mut random = Random(seed);
        let (x, matrix) = (random.values(rows * inputs), random.matrix(outputs, inputs));
        let source = Arc::new(InMemory(matrix.clone()));
        let found = both!(|backend| {
            let weight = backend.weight_on_demand(source.clone())?;
            backend.linear(&backend.rows(x.clone(), inputs)?, &Linear { weight: Arc::new(weight), bias: None })
        }, 2e-5);
        prop_assert_eq!(found, run(&Cpu, |it| it.linear(&it.rows(x.clone(), inputs)?, &linear(it, &matrix, None))));
        prop_assert_eq!(&Cpu.to_dense(&Cpu.weight_on_demand(source).unwrap()).unwrap(), &matrix);
    }

    #[test]
    fn rotary_positions(rows in 1usize..80, heads in 1usize..4, pairs in 1usize..9, rest in 0usize..5, seed: u64) {
        let mut random = Random(seed);
        let head_dim = 2 * pairs + rest;
        let x = random.values(rows * heads * head_dim);
        let angles: Vec<f32> = (0..rows * pairs).map(|_| 2.0 * random.value()).collect();
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| (angle.cos(), angle.sin())).unzip();
        for style in [RotaryPairs::Halves, RotaryPairs::Neighbours] {
            let found = both!(|backend| {
                let (cos, sin) = (backend.rows(cos.clone(), pairs)?, backend.rows(sin.clone(), pairs)?);
                let x = backend.rows(x.clone(), heads * head_dim)?;
                backend.rope(&x, &Rotation { pairs: style, cos, sin }, head_dim)
            }, 1e-6);
            let tail = |values: &[f32]| -> Vec<f32> {
                values.chunks(head_dim).flat_map(|head| head[2 * pairs..].to_vec()).collect()
            };
            prop_assert_eq!(tail(&found), tail(&x));
        }
        let (cos, sin) = (Cpu.rows(cos[pairs..].to_vec(), pairs).unwrap(), Cpu.rows(sin[pairs..].to_vec(), pairs).unwrap());
        let short = Rotation { pairs: RotaryPairs::Halves, cos, sin };
        prop_assert!(Cpu.rope(&Cpu.rows(x, heads * head_dim).unwrap(), &short, head_dim).is_err());
    }

    #[test]
    fn attention(
        queries in 1usize..30, cached in 1usize..90, kv_heads in 1usize..4, group in 1usize..4,
        head_dim in prop_oneof![1usize..20, Just(64), Just(128)], capped: bool, falling: bool, seed: u64
    ) {
        let mut random = Random(seed);
        let (q_width, kv_width) = (kv_heads * group * head_dim, kv_heads * head_dim);
        let q = random.values(queries * q_width);
        let (k, v) = (random.values(cached * kv_width), random.values(cached * kv_width));
        let mut indices = KvIndices::default();
        for _ in 0..queries {
            // Any rows in any order, each once.
            let mut seen: Vec<u32> = (0..cached as u32).collect();
            (0..cached).for_each(|i| { let j = random.below(cached); seen.swap(i, j); });
            seen.truncate(1 + random.below(cached));
            indices.push(seen);
        }
        let indices = Arc::new(indices);
        let softcap = capped.then_some(0.7);
        let alibi = falling.then_some(8.0);
        let scores = AttentionScores { scale: 1.0 / (head_dim as f32).sqrt(), softcap, alibi };
        let found = both!(|backend| {
            let (keys, values) = (backend.table_of(k.clone(), kv_width)?, backend.table_of(v.clone(), kv_width)?);
            let q = backend.rows(q.clone(), q_width)?;
            backend.attention(&q, &keys, &values, &backend.attended(&indices)?, head_dim, scores)
        }, 2e-5);
        // With gradients.
        let reference = Reference::cpu();
        let q_var = candle_core::Var::from_tensor(&reference.rows(q.clone(), q_width).unwrap()).unwrap();
        let tracked = run(&reference, |it| {
            let (keys, values) = (it.table_of(k.clone(), kv_width)?, it.table_of(v.clone(), kv_width)?);
            it.attention(&q_var, &keys, &values, &it.attended(&indices)?, head_dim, scores)
        });
        prop_assert!(furthest(&found, &tracked) <= 2e-5);
        // A part has the bits of the whole.
        let (from, to) = (random.below(queries), queries);
        let part = run(&Cpu, |it| {
            let (keys, values) = (it.table_of(k.clone(), kv_width)?, it.table_of(v.clone(), kv_width)?);
            let q = it.slice(&it.rows(q.clone(), q_width)?, from..to)?;
            it.attention(&q, &keys, &values, &it.attended(&Arc::new(indices.slice(from..to)))?, head_dim, scores)
        });
        prop_assert_eq!(&part[..], &found[from * q_width..]);
    }

    #[test]
    fn mlps_and_mixtures(
        rows in 1usize..40, width in 1usize..50, inner in 1usize..60, experts in 1usize..6,
        gated: bool, normalised: bool, seed: u64
    ) {
        let mut random = Random(seed);
        let x = random.values(rows * width);
        let activation = ACTIVATIONS[random.below(4)];
        let router = random.matrix(experts, width);
        let matrices: Vec<[Matrix; 3]> = (0..experts)
            .map(|_| [random.matrix(inner, width), random.matrix(inner, width), random.matrix(width, inner)])
            .collect();
        let choice = ExpertChoice { per_token: 1 + random.below(experts), normalised };
        both!(|backend| {
            backend.mlp(&backend.rows(x.clone(), width)?, &mlp(backend, &matrices[0], gated, activation))
        }, 3e-5);
        let found = both!(|backend| {
            let experts = matrices.iter().map(|matrices| mlp(backend, matrices, gated, activation)).collect();
            let mixture = Mixture { router: linear(backend, &router, None), choice, experts };
            backend.mixture(&backend.rows(x.clone(), width)?, &mixture)
        }, 5e-5);
        // A row alone has the same bits.
        let experts = matrices.iter().map(|matrices| mlp(&Cpu, matrices, gated, activation)).collect();
        let mixture = Mixture { router: linear(&Cpu, &router, None), choice, experts };
        let row = random.below(rows);
        let alone = run(&Cpu, |it| it.mixture(&it.rows(x[row * width..][..width].to_vec(), width)?, &mixture));
        prop_assert_eq!(&alone[..], &found[row * width..][..width]);
    }

    #[test]
    fn read_out(
        rows in 1usize..80, inputs in 1usize..120, vocabulary in 1usize..2000, biased: bool, capped: bool, seed: u64
    ) {
        let mut random = Random(seed);
        let (x, mut matrix) = (random.values(rows * inputs), random.matrix(vocabulary, inputs));
        // Some tokens are equal.
        for _ in 0..vocabulary / 10 {
            let (from, to) = (random.below(vocabulary) * inputs, random.below(vocabulary) * inputs);
            matrix.data_mut().copy_within(from..from + inputs, to);
        }
        let bias = biased.then(|| random.values(vocabulary));
        let softcap = capped.then_some(5.0);
        let tokens: Vec<Vec<u32>> =
            (0..rows).map(|i| (0..i % 4).map(|_| random.below(vocabulary) as u32).collect()).collect();
        let wanted: Vec<&[u32]> = tokens.iter().map(Vec::as_slice).collect();
        let logits = both!(|backend| {
            backend.logits(&backend.rows(x.clone(), inputs)?, &backend.head(&matrix, bias.as_deref(), softcap)?)
        }, 3e-5);
        prop_assert_eq!(&Cpu.head_to_dense(&Cpu.head(&matrix, None, None).unwrap()).unwrap(), &matrix);
        let read = |wanted: &[&[u32]]| -> Result<[Vec<Reading>; 2], Error> {
            let (cpu, reference) = (Cpu, Reference::cpu());
            let on_cpu = cpu.read_out(&cpu.rows(x.clone(), inputs)?, &cpu.head(&matrix, bias.as_deref(), softcap)?, wanted)?;
            let head = reference.head(&matrix, bias.as_deref(), softcap)?;
            Ok([on_cpu, reference.read_out(&reference.rows(x.clone(), inputs)?, &head, wanted)?])
        };
        let [on_cpu, on_reference] = read(&wanted).unwrap();
        let nothing = read(&vec![&[][..]; rows]).unwrap();
        for row in 0..rows {
            let logits = &logits[row * vocabulary..][..vocabulary];
            // The first of the largest logits that the CPU itself gives, whether or not anything
            // else is wanted.
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let first = logits.iter().position(|&logit| logit == largest).unwrap() as u32;
            prop_assert_eq!((on_cpu[row].argmax, nothing[0][row].argmax), (first, first));
            prop_assert!(largest - logits[on_reference[row].argmax as usize] < 1e-4);
            prop_assert_eq!(on_reference[row].argmax, nothing[1][row].argmax);
            for (i, &token) in tokens[row].iter().enumerate() {
                prop_assert!((on_cpu[row].logprobs[i] - on_reference[row].logprobs[i]).abs() < 5e-5);
                let above = |(other, &logit): (usize, &f32)| {
                    let own = logits[token as usize];
                    logit > own || (logit == own && other < token as usize)
                };
                let rank = logits.iter().enumerate().filter(|&it| above(it)).count();
                prop_assert_eq!(on_cpu[row].ranks[i], rank);
            }
        }
        let outside = [vocabulary as u32];
        prop_assert!(read(&vec![&outside[..]; rows]).is_err());
    }
}

#[derive(Debug)]
struct InMemory(Matrix);

impl WeightSource for InMemory {
    fn shape(&self) -> [usize; 2] {
        [self.0.rows(), self.0.cols()]
    }

    fn rows(&self, range: Range<usize>) -> Result<Vec<f32>, SourceError> {
        Ok(self.0.data()[range.start * self.0.cols()..range.end * self.0.cols()].to_vec())
    }
}

#[test]
fn rows_beyond_the_cache_are_an_error() {
    fn attend<B: Backend>(backend: &B) -> Result<B::Rows, Error> {
        let mut indices = KvIndices::default();
        indices.push([0, 3]);
        let (keys, values) = (backend.table_of(vec![0.0; 12], 4)?, backend.table_of(vec![0.0; 12], 4)?);
        let (q, attended) = (backend.rows(vec![0.0; 4], 4)?, backend.attended(&Arc::new(indices))?);
        backend.attention(&q, &keys, &values, &attended, 4, AttentionScores { scale: 0.5, softcap: None, alibi: None })
    }
    assert!(attend(&Cpu).is_err() && attend(&Reference::cpu()).is_err());
}

#[test]
fn bf16_is_an_error_or_near() {
    let mut random = Random(3);
    let (x, matrix) = (random.values(7 * 96), random.matrix(50, 96));
    let exact = Cpu.weight(&matrix, Precision::F32).unwrap();
    let reference = Reference::cpu();
    let none = reference.to_bf16(&reference.weight(&matrix, Precision::F32).unwrap());
    assert!(matches!(none, Err(Error::Precision { .. })));
    let on_demand = Cpu.weight_on_demand(Arc::new(InMemory(matrix.clone()))).unwrap();
    assert!(matches!(Cpu.to_bf16(&on_demand), Err(Error::Precision { .. })));
    match Cpu.to_bf16(&exact) {
        Ok(weight) => {
            assert_eq!((Cpu.precision(&weight), Cpu.precision(&exact)), (Precision::Bf16, Precision::F32));
            assert_eq!(Cpu.kernel_path(), "cpu avx512-bf16");
            let product = |weight| {
                let linear = Linear { weight: Arc::new(weight), bias: None };
                run(&Cpu, |it| it.linear(&it.rows(x.clone(), 96)?, &linear))
            };
            let (rounded, exact) = (product(weight), product(exact.clone()));
            assert!(rounded != exact && furthest(&rounded, &exact) < 0.05);
        }
        Err(Error::Precision { .. }) => println!("skipped: this processor has no products in bf16"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn gradients_are_taken_on_the_reference_backend() {
    assert_eq!(Cpu.reference().kernel_path(), "cpu candle");
    assert!(Cpu.kernel_path().starts_with("cpu ") && !Cpu.kernel_path().contains("candle"));
}
