//! Products of rows with a layer's matrices: `just bench products`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use laser_kernels::{Backend, Cpu, Linear, Precision};
use laser_matrix::Matrix;
use std::sync::Arc;

/// Outputs and inputs of SmolLM2-135M's gate, and of a layer of a larger model.
const SHAPES: [(usize, usize); 2] = [(1536, 576), (4096, 2048)];
const ROWS: usize = 512;

fn values(n: usize) -> impl Iterator<Item = f32> {
    (1..=n).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as f32 / (1 << 23) as f32 - 1.0)
}

fn products(criterion: &mut Criterion) {
    for (name, precision) in [("f32", Precision::F32), ("bf16", Precision::Bf16)] {
        let mut group = criterion.benchmark_group(name);
        for (outputs, inputs) in SHAPES {
            let matrix = Matrix::new(outputs, inputs, values(outputs * inputs).collect()).expect("a matrix");
            let weight = Cpu.weight(&matrix, precision).expect("a weight");
            let linear = Linear { weight: Arc::new(weight), bias: None };
            let rows = Cpu.rows(values(ROWS * inputs).collect(), inputs).expect("rows");
            // An element is a floating-point operation: elements per second are FLOP/s.
            group.throughput(Throughput::Elements(2 * (ROWS * outputs * inputs) as u64));
            group.bench_with_input(BenchmarkId::from_parameter(format!("{outputs}x{inputs}")), &rows, |bench, rows| {
                bench.iter(|| Cpu.linear(rows, &linear).expect("a product"));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = products
}
criterion_main!(benches);
