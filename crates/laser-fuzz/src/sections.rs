//! Several files as one input: each begins with a line `=== NAME`.

/// What a section begins with.
const MARK: &[u8] = b"=== ";

/// The files of an input, by name; what stands before the first mark belongs to none.
pub(crate) fn parts(input: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for line in input.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_prefix(MARK) {
            Some(name) => found.push((String::from_utf8_lossy(name).trim().to_owned(), Vec::new())),
            None => {
                if let Some((_, content)) = found.last_mut() {
                    content.extend_from_slice(line);
                }
            }
        }
    }
    // The newline before the next mark is not the file's.
    for (_, content) in &mut found {
        content.pop_if(|byte| *byte == b'\n');
    }
    found
}

/// The input of these files.
pub(crate) fn joined(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut input = Vec::new();
    for (name, content) in parts {
        input.extend([MARK, name.as_bytes(), b"\n", content, b"\n"].concat());
    }
    input
}
