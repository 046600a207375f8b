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
