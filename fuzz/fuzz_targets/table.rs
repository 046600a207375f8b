#![no_main]
laser_fuzz_targets::fuzz!("table");
