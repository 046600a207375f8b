//! The types that weights are stored in, and their conversion from and to float32.

use std::{borrow::Cow, fmt};

use candle_core::{
    CpuStorage, Device, Tensor,
    quantized::{GgmlDType, QTensor},
};
use half::{bf16, f16, slice::HalfFloatSliceExt};
use safetensors::Dtype;

/// How a tensor's values are stored. The quantised types are ggml's, in blocks of a row's
/// consecutive values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Precision {
    F64,
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2K,
    Q3K,
    Q4K,
    Q5K,
    Q6K,
    Q8K,
}

use Precision::{BF16, F16, F32, F64, Q2K, Q3K, Q4_0, Q4_1, Q4K, Q5_0, Q5_1, Q5K, Q6K, Q8_0, Q8K};

impl Precision {
    /// Every type, in the order of ggml's numbers.
    pub const ALL: [Self; 15] = [F32, F16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K, Q8K, F64, BF16];

    /// The name: `f32`, `bf16`, `q4_1`, `q6_k` ...
    pub const fn name(self) -> &'static str {
        match self {
            F64 => "f64",
            F32 => "f32",
            F16 => "f16",
            BF16 => "bf16",
            Q4_0 => "q4_0",
            Q4_1 => "q4_1",
            Q5_0 => "q5_0",
            Q5_1 => "q5_1",
            Q8_0 => "q8_0",
            Q2K => "q2_k",
            Q3K => "q3_k",
            Q4K => "q4_k",
            Q5K => "q5_k",
            Q6K => "q6_k",
            Q8K => "q8_k",
        }
    }

    /// Every name, joined by commas.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Whether values are stored in quantised blocks.
    pub const fn is_quantised(self) -> bool {
        !matches!(self, F64 | F32 | F16 | BF16)
    }

    /// ggml's number of this type, as in a GGUF tensor info.
    pub const fn ggml_number(self) -> u32 {
        match self {
            F32 => 0,
            F16 => 1,
            Q4_0 => 2,
            Q4_1 => 3,
            Q5_0 => 6,
            Q5_1 => 7,
            Q8_0 => 8,
            Q2K => 10,
            Q3K => 11,
            Q4K => 12,
            Q5K => 13,
            Q6K => 14,
            Q8K => 15,
            F64 => 28,
            BF16 => 30,
        }
    }

    /// The type with this ggml number.
    pub fn from_ggml_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|precision| precision.ggml_number() == number)
    }

    /// Values in a block; 1 for the floats.
    pub fn block_values(self) -> usize {
        self.ggml().map_or(1, |ggml| ggml.block_size())
    }

    /// Bytes of a block.
    pub fn block_bytes(self) -> usize {
        self.ggml().map_or(size_of::<f64>(), |ggml| ggml.type_size())
    }

    /// candle's name; it has none for float64.
    fn ggml(self) -> Option<GgmlDType> {
        Some(match self {
            F64 => return None,
            F32 => GgmlDType::F32,
            F16 => GgmlDType::F16,
            BF16 => GgmlDType::BF16,
            Q4_0 => GgmlDType::Q4_0,
            Q4_1 => GgmlDType::Q4_1,
            Q5_0 => GgmlDType::Q5_0,
            Q5_1 => GgmlDType::Q5_1,
            Q8_0 => GgmlDType::Q8_0,
            Q2K => GgmlDType::Q2K,
            Q3K => GgmlDType::Q3K,
            Q4K => GgmlDType::Q4K,
            Q5K => GgmlDType::Q5K,
            Q6K => GgmlDType::Q6K,
            Q8K => GgmlDType::Q8K,
        })
    }

    /// The float types of a safetensors file; others are not read.
    pub(crate) fn from_safetensors(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::F64 => Some(F64),
            Dtype::F32 => Some(F32),
            Dtype::F16 => Some(F16),
            Dtype::BF16 => Some(BF16),
            _ => None,
        }
    }

    /// The safetensors type that keeps these values: quantised ones become f16.
    pub fn to_safetensors(self) -> Dtype {
        match self {
            F64 => Dtype::F64,
            F32 => Dtype::F32,
            BF16 => Dtype::BF16,
            _ => Dtype::F16,
        }
    }

    /// Values from `bytes`, little-endian. A partial block at the end is left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            F64 => {
                let (values, _) = bytes.as_chunks::<8>();
                values.iter().map(|&value| f64::from_le_bytes(value) as f32).collect()
            }
            F32 => {
                let (values, _) = bytes.as_chunks::<4>();
                values.iter().map(|&value| f32::from_le_bytes(value)).collect()
            }
            F16 => widen(bytes, f16::from_bits, |from, to| from.convert_to_f32_slice(to)),
            BF16 => widen(bytes, bf16::from_bits, |from, to| from.convert_to_f32_slice(to)),
            _ => self.ggml().map(|ggml| dequantised(ggml, bytes)).unwrap_or_default(),
        }
    }

    /// `values` as little-endian bytes, floats rounded to nearest even. Quantised types need whole
    /// blocks: see [`block_values`](Self::block_values).
    ///
    /// # Errors
    /// The position and value of the first one that the type cannot hold.
    pub fn encode(self, values: &[f32]) -> Result<Vec<u8>, (usize, f32)> {
        let bytes: Vec<u8> = match self {
            F64 => values.iter().flat_map(|&value| f64::from(value).to_le_bytes()).collect(),
            F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            BF16 => {
                narrow(values, |value| (bf16::from_f32(value).is_finite()).then(|| bf16::from_f32(value).to_bits()))?
            }
            F16 => narrow(values, |value| (f16::from_f32(value).is_finite()).then(|| f16::from_f32(value).to_bits()))?,
            _ => self.quantise(values)?,
        };
        Ok(bytes)
    }

    fn quantise(self, values: &[f32]) -> Result<Vec<u8>, (usize, f32)> {
        let blocks = || {
            let tensor = Tensor::from_slice(values, values.len(), &Device::Cpu)?;
            QTensor::quantize(&tensor, self.ggml().unwrap_or(GgmlDType::F32))?.data().map(Cow::into_owned)
        };
        // What candle refuses is a number of values that is not a number of whole blocks.
        let bytes = blocks().map_err(|_: candle_core::Error| (values.len(), f32::NAN))?;
        match self.decode(&bytes).iter().position(|value| !value.is_finite()) {
            None => Ok(bytes),
            Some(index) => Err((index, values[index])),
        }
    }
}

/// The values of whole blocks.
fn dequantised(ggml: GgmlDType, bytes: &[u8]) -> Vec<f32> {
    const PIECE: usize = 4096;
    let (block_bytes, block_values) = (ggml.type_size(), ggml.block_size());
    let blocks = bytes.len() / block_bytes;
    let mut values = Vec::with_capacity(blocks * block_values);
    // candle asserts that blocks are aligned, which those of a file need not be: hence the
    // copy, piece by piece.
    let mut buffer = vec![0_u8; PIECE * block_bytes + 8];
    let start = buffer.as_ptr().addr().wrapping_neg() % 8;
    for piece in bytes[..blocks * block_bytes].chunks(PIECE * block_bytes) {
        let aligned = &mut buffer[start..start + piece.len()];
        aligned.copy_from_slice(piece);
        let quantised = ggml.from_data(Cow::Borrowed(aligned));
        match quantised.dequantize(piece.len() / block_bytes * block_values) {
            Ok(CpuStorage::F32(piece)) => values.extend(piece),
            // Never happens on the CPU; a NaN is then reported by whoever reads the tensor.
            _ => values.resize(values.len() + piece.len() / block_bytes * block_values, f32::NAN),
        }
    }
    values
}

/// 16-bit floats to float32, a slice at a time so that the processor's own conversion is used.
fn widen<T: Copy + Default>(bytes: &[u8], from_bits: fn(u16) -> T, convert: fn(&[T], &mut [f32])) -> Vec<f32> {
    const PIECE: usize = 1024;
    let (halves, _) = bytes.as_chunks::<2>();
    let mut values = vec![0.0; halves.len()];
    let mut piece = [T::default(); PIECE];
    for (to, from) in values.chunks_mut(PIECE).zip(halves.chunks(PIECE)) {
        for (half, &bits) in piece.iter_mut().zip(from) {
            *half = from_bits(u16::from_le_bytes(bits));
        }
        convert(&piece[..from.len()], to);
    }
    values
}

fn narrow(values: &[f32], to_bits: fn(f32) -> Option<u16>) -> Result<Vec<u8>, (usize, f32)> {
    let mut bytes = Vec::with_capacity(values.len() * 2);
    for (index, &value) in values.iter().enumerate() {
        bytes.extend(to_bits(value).ok_or((index, value))?.to_le_bytes());
    }
    Ok(bytes)
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
