//! One step of a sweep, on the demo's model: `just bench sweep`. `examples/sweep-speed.rs` of `laser` measures real models.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, InterventionSpec};
use laser_engine::{Detail, Editor, Evaluator};
use laser_example::Example;
use laser_kernels::Cpu;
use laser_model::Model;
use laser_tasks::Task;
use laser_tokenizer::Tokenizer;
use std::path::Path;
use std::sync::Arc;

const MEMORY: usize = 1 << 30;
const EXAMPLES: usize = 200;

fn demo() -> (Arc<Checkpoint>, Model, Tokenizer, Task) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../laser/assets/demo");
    let checkpoint = Arc::new(Checkpoint::open(&folder).expect("the demo's model"));
    let model = Model::load(&checkpoint, &Cpu, usize::MAX, |_| ()).expect("a model");
    let tokenizer = Tokenizer::open(&folder, None).expect("a tokenizer");
    let mut task = Task::open(&folder.join("demo.yaml").display().to_string()).expect("the demo's task");
    task.examples.truncate(EXAMPLES);
    (checkpoint, model, tokenizer, task)
}

/// All examples under two candidates of one layer: decomposition, products, what is read off.
fn sweep(criterion: &mut Criterion) {
    let (checkpoint, model, tokenizer, task) = demo();
    let examples: Vec<&Example> = task.examples.iter().collect();
    let mut evaluator = Evaluator::new(&model, &tokenizer, examples, MEMORY).expect("an evaluator");
    // What the unedited model computes is kept.
    evaluator.evaluate(&model, Detail::Outcome).expect("outcomes");
    let candidate = |layer: usize, rho: &str| {
        let spec: InterventionSpec = format!("{layer}.fc_in:{rho}").parse().expect("an edit");
        Candidate::new(spec.expand(model.config()).expect("a layer")).expect("a candidate")
    };
    let mut group = criterion.benchmark_group("layer");
    for layer in [0, 1] {
        let candidates = [candidate(layer, "0.1"), candidate(layer, "0.02")];
        let candidates: Vec<&Candidate> = candidates.iter().collect();
        // An element is an example under a candidate.
        group.throughput(Throughput::Elements((candidates.len() * EXAMPLES) as u64));
        group.bench_with_input(BenchmarkId::from_parameter(layer), &candidates, |bench, candidates| {
            bench.iter(|| {
                let edited = Editor::new(&checkpoint, &model).edit_all(candidates).expect("edits");
                evaluator.evaluate_together(0, &edited, Detail::Outcome).expect("outcomes")
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = sweep
}
criterion_main!(benches);
