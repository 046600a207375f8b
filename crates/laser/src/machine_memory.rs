//! How much memory there is.

use sysinfo::System;

/// What is assumed where nothing tells, such as in a root without `/proc`.
const UNKNOWN: u64 = 4 << 30;

/// Bytes of this machine, or of what its container may take if that is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MachineMemory {
    pub total: usize,
    pub free: usize,
}

impl MachineMemory {
    pub(crate) fn look() -> Self {
        let mut system = System::new();
        system.refresh_memory();
        Self::of(&system)
    }

    fn of(system: &System) -> Self {
        let bytes = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        // sysinfo panics when it is asked for the limits of a container and knows of no memory.
        if system.total_memory() == 0 {
            return Self { total: bytes(UNKNOWN), free: bytes(UNKNOWN) };
        }
        let [total, free] = system.cgroup_limits().map_or([u64::MAX; 2], |it| [it.total_memory, it.free_memory]);
        let total = system.total_memory().min(total);
        Self { total: bytes(total), free: bytes(system.available_memory().min(free).min(total)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_that_tells_nothing_is_no_panic() {
        let memory = MachineMemory::of(&System::new());
        assert_eq!((memory.total, memory.free), (4 << 30, 4 << 30));
        assert!(MachineMemory::look().total > 0);
    }
}
