//! What a pickle holds: values, and the few of Python's names that PyTorch writes for tensors.
//!
//! Lists, dictionaries and the like lie in one vector and refer to each other by position. A deep
//! or circular structure therefore needs no recursion, neither to be built nor to be dropped. Texts
//! are borrowed from the file.

use super::storage_type::StorageType;

/// One value; the larger ones are a position in [`Pickle::objects`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    None,
    Bool(bool),
    /// Wide enough for the 80 bits of the legacy format's magic number.
    Int(i128),
    /// Its value is never needed.
    Float,
    Text(&'a str),
    Global(Global),
    Object(usize),
}

#[derive(Debug)]
pub(crate) enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(StorageId<'a>),
    Tensor(TensorView<'a>),
}

/// Every name that a pickle may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    Size,
    RebuildTensor,
    RebuildTensorV2,
    RebuildParameter,
    Storage(StorageType),
}

impl Global {
    pub(crate) fn named(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch", "Size") => Some(Self::Size),
            ("torch._utils", "_rebuild_tensor") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensorV2),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", name) => StorageType::named(name).map(Self::Storage),
            _ => None,
        }
    }
}

/// What a persistent id says of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StorageId<'a> {
    pub kind: StorageType,
    pub key: &'a str,
    /// Elements in the whole storage.
    pub count: usize,
    /// First element and number of elements that are meant; very old files only.
    pub slice: Option<(usize, usize)>,
}

/// A tensor as a view of a storage; nothing of it is checked yet.
#[derive(Clone, Debug)]
pub(crate) struct TensorView<'a> {
    pub storage: StorageId<'a>,
    /// In elements.
    pub offset: usize,
    pub shape: Vec<usize>,
    /// In elements.
    pub strides: Vec<usize>,
}

/// What a pickle holds.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    pub root: Value<'a>,
    pub objects: Vec<Object<'a>>,
    /// Bytes that it took.
    pub length: usize,
}

impl<'a> Pickle<'a> {
    pub(crate) fn tuple_or_list(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        match value {
            Value::Object(at) => match &self.objects[at] {
                Object::Tuple(items) | Object::List(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn dict(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        match value {
            Value::Object(at) => match &self.objects[at] {
                Object::Dict(entries) => Some(entries),
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn tensor(&self, value: Value<'a>) -> Option<&TensorView<'a>> {
        match value {
            Value::Object(at) => match &self.objects[at] {
                Object::Tensor(tensor) => Some(tensor),
                _ => None,
            },
            _ => None,
        }
    }
}
