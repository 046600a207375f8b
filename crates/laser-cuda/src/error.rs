//! What can go wrong between this program and a GPU.

/// An error of this crate. Each is one line that says what failed and why.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A library of NVIDIA's is missing.
    #[error("{library} was not found: looked in {searched}")]
    LibraryNotFound {
        /// The file's name.
        library: String,
        /// The places, separated by commas.
        searched: String,
    },
    /// A library is there but too old, or broken.
    #[error("{library} cannot be used: {why}")]
    Library {
        /// The file's name or path.
        library: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such GPU.
    #[error("no GPU {ordinal}: the driver knows {count}")]
    NoDevice {
        /// The GPU that was asked for, counted from 0.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// The driver refused something.
    #[error("{during}: {why}")]
    Driver {
        /// What was being done.
        during: String,
        /// The driver's word for it.
        why: String,
    },
    /// Device memory does not suffice.
    #[error("{wanted} bytes of device memory were asked for, {free} are free")]
    OutOfMemory {
        /// Bytes.
        wanted: usize,
        /// Bytes.
        free: usize,
    },
    /// A kernel source does not compile.
    #[error("{source_name} does not compile for {architecture}: {log}")]
    Compile {
        /// The kernel source.
        source_name: &'static str,
        /// Such as `sm_90`.
        architecture: String,
        /// What the compiler said.
        log: String,
    },
    /// A kernel was launched with other arguments than its source declares: a mistake in this crate.
    #[error("{kernel} takes ({expected}), and was given ({found})")]
    Arguments {
        /// The kernel.
        kernel: String,
        /// The kinds that its source declares.
        expected: String,
        /// The kinds that were passed.
        found: String,
    },
    /// Operands that do not fit each other.
    #[error("{operation}: {why}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// What does not fit.
        why: String,
    },
    /// Kernels could not be built or run on the CPU.
    #[error("kernels on the CPU: {why}")]
    Shim {
        /// What went wrong.
        why: String,
    },
}

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The operation's operands do not fit.
    pub(crate) fn shape(operation: &'static str, why: impl Into<String>) -> Self {
        Self::Shape { operation, why: why.into() }
    }
}
