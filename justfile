# What to run before each commit.
check:
    cargo fmt --all --check
    scripts/check-structure.py
    scripts/check-docs.py
    scripts/check-packages.py
    cargo clippy --release --workspace --all-targets -- -D warnings

# One test file of any crate, or all tests.
test NAME="":
    cargo test --release --workspace {{ if NAME == "" { "" } else { "--test " + NAME } }}

# One of the benches (crates/*/benches), or all: decompositions, products, reading, sweep, verdict.
bench NAME="":
    cargo bench --workspace {{ if NAME == "" { "--benches" } else { "--bench " + NAME } }}

# The benches of two commits, alternately: `just compare main HEAD --bench products`.
compare BASE HEAD="HEAD" *OPTIONS:
    bench/compare-commits.py {{BASE}} {{HEAD}} {{OPTIONS}}

# Seconds an example and candidate, and GFLOP/s, of a real model: `just sweep MODEL TASK 20,28 fc_in:0.1`.
sweep MODEL TASK LAYERS +EDITS:
    cargo run --release --example sweep-speed -- {{MODEL}} {{TASK}} {{LAYERS}} {{EDITS}}

# The book, in target/book.
book:
    scripts/check-docs.py --book

# What other programs say of the same files (interop/).
interop:
    cargo build --release
    interop/outputs.sh

# A release archive.
package NAME="laser":
    scripts/package.sh {{NAME}}

# Long runs of the fuzz targets (docs/fuzzing.md): nightly Rust and `cargo install cargo-fuzz`.
# Memory in megabytes, time in seconds.

flags := "-rss_limit_mb=2048 -malloc_limit_mb=1024 -timeout=10 -report_slow_units=1 -max_len=65536"

# Fuzzes TARGET for SECONDS.
fuzz TARGET SECONDS="3600":
    cargo run --release -p laser-fuzz --example fuzz_input -- {{TARGET}} --seeds fuzz/corpus/{{TARGET}}
    cargo +nightly fuzz run -s none {{TARGET}} -- -max_total_time={{SECONDS}} {{flags}}

# The same without building what reads weights.
fuzz-light TARGET SECONDS="3600":
    cargo run --release -p laser-fuzz --no-default-features --example fuzz_input -- {{TARGET}} --seeds fuzz/corpus/{{TARGET}}
    cargo +nightly fuzz run -s none --no-default-features {{TARGET}} -- -max_total_time={{SECONDS}} {{flags}}

# Makes an input that fails smaller.
fuzz-shrink TARGET FILE:
    cargo +nightly fuzz tmin -s none {{TARGET}} {{FILE}}
