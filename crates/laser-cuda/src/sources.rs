//! The kernel sources, and what they say of themselves: which kernels there are and what each takes.

use std::collections::HashMap;
use std::sync::OnceLock;

/// What every source begins with.
pub const COMMON: &str = include_str!("../kernels/common.cuh");

/// One subject a file: its name and text.
pub const SOURCES: [Source; 8] = [
    Source { name: "attention.cu", text: include_str!("../kernels/attention.cu") },
    Source { name: "elementwise.cu", text: include_str!("../kernels/elementwise.cu") },
    Source { name: "embed.cu", text: include_str!("../kernels/embed.cu") },
    Source { name: "norm.cu", text: include_str!("../kernels/norm.cu") },
    Source { name: "readout.cu", text: include_str!("../kernels/readout.cu") },
    Source { name: "rope.cu", text: include_str!("../kernels/rope.cu") },
    Source { name: "routing.cu", text: include_str!("../kernels/routing.cu") },
    Source { name: "rows.cu", text: include_str!("../kernels/rows.cu") },
];

/// A kernel source without what every source begins with.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The file's name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl Source {
    /// What is compiled.
    pub fn whole(&self) -> String {
        format!("{COMMON}\n{}", self.text)
    }
}

/// What a kernel's parameter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// An address in device memory.
    Pointer,
    /// 32 bits without sign.
    U32,
    /// 64 bits without sign.
    U64,
    /// 32 bits with sign.
    I32,
    /// A number of single precision.
    F32,
}

/// A kernel: where it is, and what it takes.
#[derive(Debug)]
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Its place in [`SOURCES`].
    pub source: usize,
    /// Its parameters in order.
    pub parameters: Vec<ParameterKind>,
}

/// The kernel of this name.
pub fn kernel(name: &str) -> Option<&'static Kernel> {
    kernels().get(name)
}

/// All kernels by name.
pub fn kernels() -> &'static HashMap<String, Kernel> {
    static KERNELS: OnceLock<HashMap<String, Kernel>> = OnceLock::new();
    KERNELS.get_or_init(|| {
        let of_source = |(source, text): (usize, &Source)| declared(source, text.text);
        let kernels = SOURCES.iter().enumerate().flat_map(of_source);
        kernels.map(|kernel| (kernel.name.clone(), kernel)).collect()
    })
}

/// The kernels that a source declares, those among them that a macro `NAME(kernel, ...)` defines.
fn declared(source: usize, text: &str) -> Vec<Kernel> {
    const START: &str = "extern \"C\" __global__ void ";
    let mut kernels = Vec::new();
    for declaration in text.split(START).skip(1) {
        let Some((name, rest)) = declaration.split_once('(') else { continue };
        let Some((parameters, _)) = rest.split_once(')') else { continue };
        let parameters: Vec<ParameterKind> = parameters.split(',').map(parameter).collect();
        let mut add = |name: &str| {
            kernels.push(Kernel { name: name.trim().to_owned(), source, parameters: parameters.clone() });
        };
        // `#define MACRO(NAME, ...)`, then `MACRO(kernel, ...)` at the beginning of lines.
        match macro_of(text, name.trim()) {
            None => add(name),
            Some(defined) => text
                .lines()
                .filter_map(|line| line.strip_prefix(&defined)?.strip_prefix('(')?.split_once(','))
                .for_each(|(name, _)| add(name)),
        }
    }
    kernels
}

/// The macro whose first parameter is called `name`.
fn macro_of(text: &str, name: &str) -> Option<String> {
    let of_line = |line: &str| {
        let (defined, parameters) = line.strip_prefix("#define ")?.split_once('(')?;
        (parameters.split([',', ')']).next()? == name).then(|| defined.to_owned())
    };
    text.lines().find_map(of_line)
}

fn parameter(text: &str) -> ParameterKind {
    let text = text.replace('\\', " ");
    match text.split_whitespace().find(|word| *word != "const") {
        _ if text.contains('*') => ParameterKind::Pointer,
        Some("u64") => ParameterKind::U64,
        Some("i32") => ParameterKind::I32,
        Some("f32") => ParameterKind::F32,
        _ => ParameterKind::U32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_declare_their_kernels() {
        use ParameterKind::*;
        assert_eq!(kernel("laser_add").unwrap().parameters, [Pointer, Pointer, Pointer, U64]);
        assert_eq!(kernel("laser_choose_experts").unwrap().parameters, [Pointer, Pointer, Pointer, U32, U32, U32, I32]);
        for size in ["64", "128", "256", "any"] {
            let kernel = kernel(&format!("laser_attention_{size}")).unwrap();
            assert_eq!(kernel.parameters.len(), 19);
            assert_eq!(kernel.parameters[16..], [F32, F32, F32]);
        }
        let places: usize = SOURCES.iter().map(|source| source.text.matches("__global__").count()).sum();
        assert_eq!(kernels().len(), places + 3, "one macro defines four kernels");
    }
}
