//! PyTorch files.
//!
//! Such a file is a pickle, a program for Python, beside the raw elements. [`pickle`] reads the few
//! forms that tensors take and refuses everything else: opening a file runs nothing of it.

mod archive;
mod file;
mod legacy;
mod pickle;
mod pickle_bytes;
mod pickle_value;
mod refusal;
mod storage_type;
mod tensor_view;
#[cfg(test)]
mod tests;

pub(crate) use file::{INDEX, SINGLE, open};
