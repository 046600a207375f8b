//! Products by cuBLASLt: 16-bit operands with sums in f32, or f32 without TF32.
//!
//! An algorithm is chosen once for each class of products: the weights' shape, how they are stored, what is added, and how rows
//! are aligned. The number of rows does not count, and sums over the inputs are not split: so a row's bits should not depend
//! on the rows beside it. `gpu-check` measures whether that holds.

use crate::driver_error::driver;
use crate::platform::{Kind, Operand, Product};
use crate::{Error, Result};
use cudarc::cublaslt::sys;
use cudarc::driver::{CudaStream, result as driver_result};
use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Arc;
use sys::cublasLtMatmulAlgoConfigAttributes_t as Config;
use sys::cublasLtMatmulDescAttributes_t as Attribute;
use sys::cublasLtMatmulPreferenceAttributes_t as Preference;

/// The number of rows for which algorithms are chosen: passes pack thousands.
pub(crate) const CHOSEN_FOR: usize = 4096;

/// Memory that an algorithm may use, as NVIDIA advises for Hopper.
const WORKSPACE: usize = 32 << 20;

/// Products that share an algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Class {
    outputs: usize,
    inputs: usize,
    kind: Kind,
    bias: bool,
    plus: bool,
    /// Bytes that the beginnings of all rows of each operand are multiples of: x, weights, out; at most 16.
    alignment: [usize; 3],
}

impl Class {
    fn of(product: &Product) -> Self {
        Self {
            outputs: product.weights.rows,
            inputs: product.weights.width,
            kind: product.x.kind,
            bias: product.bias.is_some(),
            plus: product.plus.is_some(),
            alignment: [
                alignment(&product.x),
                alignment(&product.weights),
                alignment(&product.out).min(product.plus.as_ref().map_or(16, alignment)),
            ],
        }
    }
}

/// The largest power of two up to 16 that every row's address is a multiple of.
fn alignment(operand: &Operand) -> usize {
    let stride = (operand.stride * operand.kind.bytes()) as u64;
    1 << (operand.address | stride | 16).trailing_zeros()
}

#[derive(Clone, Copy)]
struct Algorithm {
    chosen: sys::cublasLtMatmulAlgo_t,
    workspace: usize,
}

/// cuBLASLt on one stream.
pub(crate) struct Multiplier {
    handle: sys::cublasLtHandle_t,
    workspace: u64,
    stream: Arc<CudaStream>,
    chosen_for: usize,
    algorithms: HashMap<Class, Algorithm>,
    /// Where a class's algorithm does not take so many rows: another, whose bits may be others.
    exceptions: HashMap<(Class, usize), Algorithm>,
}

// SAFETY: a handle may be used by any thread; the memory is used on the stream alone.
unsafe impl Send for Multiplier {}

impl Multiplier {
    /// For products on this stream, whose context is current; algorithms are those that are best for so many rows.
    pub(crate) fn new(stream: &Arc<CudaStream>, chosen_for: usize) -> Result<Self> {
        let mut handle = std::ptr::null_mut();
        // SAFETY: the handle is written.
        ok(unsafe { sys::cublasLtCreate(&raw mut handle) }, || "starting cuBLASLt".to_owned())?;
        // SAFETY: the stream lives.
        let workspace = unsafe { driver_result::malloc_async(stream.cu_stream(), WORKSPACE) };
        let workspace = workspace.map_err(|error| driver("allocating device memory", error))?;
        Ok(Self {
            handle,
            workspace,
            stream: stream.clone(),
            chosen_for,
            algorithms: HashMap::new(),
            exceptions: HashMap::new(),
        })
    }

    /// The library's version.
    pub(crate) fn version(&self) -> usize {
        // SAFETY: it only returns a number.
        unsafe { sys::cublasLtGetVersion() }
    }

    /// Runs a product.
    ///
    /// # Safety
    /// The operands are device memory of the stream's context, which is current; `out` overlaps none but an equal `plus`.
    pub(crate) unsafe fn multiply(&mut self, product: &Product) -> Result<()> {
        let class = Class::of(product);
        let rows = product.x.rows;
        if let Some(algorithm) = self.exceptions.get(&(class, rows)) {
            // SAFETY: as the caller says.
            return ok(unsafe { self.run(product, algorithm)? }, || describe_product(product));
        }
        let algorithm = match self.algorithms.get(&class) {
            Some(algorithm) => *algorithm,
            None => {
                let algorithm = self.choose(&class, self.chosen_for)?;
                self.algorithms.insert(class, algorithm);
                algorithm
            }
        };
        // SAFETY: as the caller says.
        let mut status = unsafe { self.run(product, &algorithm)? };
        if status == sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED {
            let algorithm = self.choose(&class, rows)?;
            self.exceptions.insert((class, rows), algorithm);
            // SAFETY: as the caller says.
            status = unsafe { self.run(product, &algorithm)? };
        }
        ok(status, || describe_product(product))
    }

    /// Runs a product by an algorithm, which may refuse.
    ///
    /// # Safety
    /// As [`Self::multiply`].
    unsafe fn run(&self, product: &Product, algorithm: &Algorithm) -> Result<sys::cublasStatus_t> {
        let call = Call::new(product)?;
        let addend = product.plus.unwrap_or(product.out);
        let (alpha, beta) = (1f32, if product.plus.is_some() { 1f32 } else { 0f32 });
        // cuBLAS counts columns first: our rows are its columns, and out' = weights x'.
        // SAFETY: the descriptors live; the operands are as the caller says, with the shapes of the layouts.
        let status = unsafe {
            sys::cublasLtMatmul(
                self.handle,
                call.operation.0,
                (&raw const alpha).cast(),
                product.weights.address as *const c_void,
                call.weights.0,
                product.x.address as *const c_void,
                call.x.0,
                (&raw const beta).cast(),
                addend.address as *const c_void,
                call.plus.0,
                product.out.address as *mut c_void,
                call.out.0,
                &raw const algorithm.chosen,
                self.workspace as *mut c_void,
                WORKSPACE,
                self.stream.cu_stream().cast(),
            )
        };
        Ok(status)
    }

    /// The best algorithm for so many rows that does not split sums.
    fn choose(&self, class: &Class, rows: usize) -> Result<Algorithm> {
        let product = class.example(rows);
        let call = Call::new(&product)?;
        let mut preference = std::ptr::null_mut();
        // SAFETY: it holds numbers, and a status whose 0 means success.
        let mut found: sys::cublasLtMatmulHeuristicResult_t = unsafe { std::mem::zeroed() };
        let mut count = 0;
        // SAFETY: the descriptors live, attributes have the sizes that the library documents, and one result is asked for.
        let status = unsafe {
            let creating = || "asking for an algorithm".to_owned();
            ok(sys::cublasLtMatmulPreferenceCreate(&raw mut preference), creating)?;
            let set = |attribute, value: *const c_void, bytes| {
                ok(sys::cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, bytes), creating)
            };
            let [x, weights, out] = class.alignment.map(|bytes| bytes as u32);
            let no_split_sums = 0u32;
            let prefer = || {
                let bytes = WORKSPACE as u64;
                set(Preference::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, (&raw const bytes).cast(), 8)?;
                let scheme = (&raw const no_split_sums).cast();
                set(Preference::CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, scheme, 4)?;
                set(Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, (&raw const weights).cast(), 4)?;
                set(Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, (&raw const x).cast(), 4)?;
                set(Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, (&raw const out).cast(), 4)?;
                set(Preference::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, (&raw const out).cast(), 4)
            };
            let preferred = prefer();
            let status = sys::cublasLtMatmulAlgoGetHeuristic(
                self.handle,
                call.operation.0,
                call.weights.0,
                call.x.0,
                call.plus.0,
                call.out.0,
                preference,
                1,
                &raw mut found,
                &raw mut count,
            );
            sys::cublasLtMatmulPreferenceDestroy(preference);
            preferred?;
            status
        };
        ok(status, || describe_product(&product))?;
        if count == 0 {
            return Err(Error::Driver { during: describe_product(&product), why: "cuBLASLt has no algorithm".into() });
        }
        ok(found.state, || describe_product(&product))?;
        Ok(Algorithm { chosen: found.algo, workspace: found.workspaceSize })
    }

    /// The algorithms chosen so far, for reports.
    pub(crate) fn describe(&self) -> Vec<String> {
        let of_class = |(class, algorithm): (&Class, &Algorithm)| {
            let get = |attribute| {
                let mut value = 0u32;
                let mut written = 0;
                let to = (&raw mut value).cast();
                // SAFETY: the algorithm is one that the library gave; these attributes have four bytes or two.
                unsafe {
                    let algorithm = &raw const algorithm.chosen;
                    sys::cublasLtMatmulAlgoConfigGetAttribute(algorithm, attribute, to, 4, &raw mut written);
                    if written == 0 {
                        sys::cublasLtMatmulAlgoConfigGetAttribute(algorithm, attribute, to, 2, &raw mut written);
                    }
                }
                value
            };
            format!(
                "{} x {} {:?}{}{}: algorithm {}, tile {}, stages {}, split {}, cluster {}, workspace {}",
                class.outputs,
                class.inputs,
                class.kind,
                if class.bias { " + bias" } else { "" },
                if class.plus { " + rows" } else { "" },
                get(Config::CUBLASLT_ALGO_CONFIG_ID),
                get(Config::CUBLASLT_ALGO_CONFIG_TILE_ID),
                get(Config::CUBLASLT_ALGO_CONFIG_STAGES_ID),
                get(Config::CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
                get(Config::CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID),
                algorithm.workspace,
            )
        };
        let mut lines: Vec<String> = self.algorithms.iter().map(of_class).collect();
        let exceptions = self.exceptions.iter();
        lines.extend(
            exceptions.map(|((class, rows), other)| format!("{rows} rows alone: {}", of_class((class, other)))),
        );
        lines.sort();
        lines
    }
}

impl Drop for Multiplier {
    fn drop(&mut self) {
        // SAFETY: both were created once, and the stream orders the memory after its last product. Errors change nothing.
        unsafe {
            let _ = self.stream.context().bind_to_thread();
            let _ = driver_result::free_async(self.workspace, self.stream.cu_stream());
            let _ = self.stream.synchronize();
            sys::cublasLtDestroy(self.handle);
        }
    }
}

impl Class {
    /// A product of this class with many rows, of no memory: algorithms are chosen by shapes.
    fn example(&self, rows: usize) -> Product {
        let operand = |rows, width, kind: Kind, alignment: usize| {
            // Rows as close as the alignment allows, and no better aligned.
            let unit = (alignment / kind.bytes()).max(1);
            let mut stride = usize::div_ceil(width, unit) * unit;
            if alignment < 16 && (stride * kind.bytes()).is_multiple_of(2 * alignment) {
                stride += unit;
            }
            Operand { address: 0, kind, rows, width, stride }
        };
        let [x, weights, out] = self.alignment;
        let out = operand(rows, self.outputs, Kind::F32, out);
        Product {
            x: operand(rows, self.inputs, self.kind, x),
            weights: operand(self.outputs, self.inputs, self.kind, weights),
            // Looked at for its alignment, if at all.
            bias: self.bias.then_some(256),
            plus: self.plus.then_some(out),
            out,
        }
    }
}

/// What the library is told of a product.
struct Call {
    operation: Operation,
    weights: Layout,
    x: Layout,
    plus: Layout,
    out: Layout,
}

impl Call {
    fn new(product: &Product) -> Result<Self> {
        Ok(Self {
            operation: Operation::new(product.bias)?,
            weights: Layout::new(&product.weights)?,
            x: Layout::new(&product.x)?,
            plus: Layout::new(&product.plus.unwrap_or(product.out))?,
            out: Layout::new(&product.out)?,
        })
    }
}

struct Operation(sys::cublasLtMatmulDesc_t);

impl Operation {
    fn new(bias: Option<u64>) -> Result<Self> {
        let describing = || "describing a product".to_owned();
        let mut description = std::ptr::null_mut();
        let (sums, scales) = (sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, sys::cudaDataType_t::CUDA_R_32F);
        // SAFETY: the description is written.
        ok(unsafe { sys::cublasLtMatmulDescCreate(&raw mut description, sums, scales) }, describing)?;
        let operation = Self(description);
        let set = |attribute, value: *const c_void, bytes| {
            // SAFETY: the description lives, and the attribute has these bytes.
            ok(unsafe { sys::cublasLtMatmulDescSetAttribute(description, attribute, value, bytes) }, describing)
        };
        // CUBLAS_OP_T of cublas_api.h.
        let transposed = 1i32;
        set(Attribute::CUBLASLT_MATMUL_DESC_TRANSA, (&raw const transposed).cast(), size_of_val(&transposed))?;
        if let Some(bias) = bias {
            let epilogue = sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS;
            set(Attribute::CUBLASLT_MATMUL_DESC_EPILOGUE, (&raw const epilogue).cast(), size_of_val(&epilogue))?;
            set(Attribute::CUBLASLT_MATMUL_DESC_BIAS_POINTER, (&raw const bias).cast(), size_of_val(&bias))?;
        }
        Ok(operation)
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: it was created, and is destroyed once.
        unsafe { sys::cublasLtMatmulDescDestroy(self.0) };
    }
}

/// Rows as the library's columns.
struct Layout(sys::cublasLtMatrixLayout_t);

impl Layout {
    fn new(operand: &Operand) -> Result<Self> {
        let kind = match operand.kind {
            Kind::F32 => sys::cudaDataType_t::CUDA_R_32F,
            Kind::Bf16 => sys::cudaDataType_t::CUDA_R_16BF,
            Kind::F16 => sys::cudaDataType_t::CUDA_R_16F,
        };
        let (width, rows) = (operand.width as u64, operand.rows as u64);
        let mut layout = std::ptr::null_mut();
        // SAFETY: the layout is written.
        let status =
            unsafe { sys::cublasLtMatrixLayoutCreate(&raw mut layout, kind, width, rows, operand.stride as i64) };
        ok(status, || "describing rows".to_owned())?;
        Ok(Self(layout))
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        // SAFETY: it was created, and is destroyed once.
        unsafe { sys::cublasLtMatrixLayoutDestroy(self.0) };
    }
}

fn describe_product(product: &Product) -> String {
    let Product { x, weights, .. } = product;
    format!("a product of {} x {} {:?} weights with {} rows", weights.rows, weights.width, x.kind, x.rows)
}

fn ok(status: sys::cublasStatus_t, during: impl Fn() -> String) -> Result<()> {
    status.result().map_err(|error| Error::Driver { during: during(), why: format!("{:?}", error.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;

    #[test]
    fn rows_are_aligned_as_their_addresses_and_strides() {
        let operand = |address, stride| Operand { address, kind: Kind::Bf16, rows: 2, width: 3, stride };
        assert_eq!(alignment(&operand(256, 8)), 16);
        assert_eq!(alignment(&operand(256, 12)), 8);
        assert_eq!(alignment(&operand(256, 9)), 2);
        assert_eq!(alignment(&operand(264, 8)), 8);
    }

    /// An algorithm is chosen for what a class says, no less and no more.
    #[test]
    fn an_example_is_of_its_class() {
        for alignment in [2, 4, 8, 16] {
            for (outputs, inputs) in [(7, 9), (64, 48), (100, 3)] {
                let out = alignment.max(4);
                let alignment = [alignment, alignment, out];
                let class = Class { outputs, inputs, kind: Kind::F16, bias: true, plus: true, alignment };
                let found = Class::of(&class.example(4096));
                // An address of 0 is aligned to anything; strides decide.
                assert_eq!(found, class);
            }
        }
    }

    /// Descriptions need the library and no GPU.
    #[test]
    fn the_library_takes_our_descriptions() {
        if let Err(error) = Library::CublasLt.open() {
            return println!("skipped: {error}");
        }
        for kind in [Kind::F32, Kind::Bf16, Kind::F16] {
            let class = Class { outputs: 64, inputs: 48, kind, bias: true, plus: true, alignment: [16; 3] };
            Call::new(&class.example(4096)).unwrap();
        }
    }
}
