//! Names of temporary files: `.laser-PROCESS-RANDOM.ENDING`. They say whose they are and whether that process still runs.

use std::ffi::OsStr;

/// What a temporary name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A file that is being written.
    File,
    /// A folder that is being written.
    Folder,
    /// A folder that holds, under its own name, what is being replaced.
    Aside,
}

impl Ending {
    pub fn text(self) -> &'static str {
        match self {
            Self::File => ".tmp",
            Self::Folder => ".partial",
            Self::Aside => ".old",
        }
    }
}

const PREFIX: &str = ".laser-";

/// What the temporary names of this process begin with.
pub(crate) fn own_prefix() -> String {
    format!("{PREFIX}{}-", std::process::id())
}

/// The process and the kind of a temporary name.
pub(crate) fn parse(name: &str) -> Option<(u32, Ending)> {
    let (process, rest) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let ending = [Ending::File, Ending::Folder, Ending::Aside].into_iter().find(|it| rest.ends_with(it.text()))?;
    let random = rest.strip_suffix(ending.text())?;
    let is_ours = process.bytes().all(|byte| byte.is_ascii_digit())
        && !process.starts_with('0')
        && random.len() == 6
        && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    Some((process.parse().ok().filter(|_| is_ours)?, ending))
}

/// Whether a name is that of a temporary file or folder of this program.
pub fn is_temporary(name: &OsStr) -> bool {
    name.to_str().and_then(parse).is_some()
}

/// Whether a process of this number runs, as far as can be told.
pub(crate) fn is_running(process: u32) -> bool {
    #[cfg(unix)]
    {
        let Ok(process) = libc::pid_t::try_from(process) else { return false };
        // SAFETY: signal 0 is not sent; it only asks whether the process is there.
        let found = unsafe { libc::kill(process, 0) };
        // One that belongs to somebody else refuses, and runs.
        found == 0 || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
    }
    #[cfg(not(unix))]
    {
        process == std::process::id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_form_is_recognised() {
        assert_eq!(parse(".laser-17-aB3dEf.tmp"), Some((17, Ending::File)));
        assert_eq!(parse(".laser-17-aB3dEf.partial"), Some((17, Ending::Folder)));
        assert_eq!(parse(".laser-17-aB3dEf.old"), Some((17, Ending::Aside)));
        for other in
            [".tmpabcdef", ".laser-17-notes.tmp", ".laser--aB3dEf.tmp", ".laser-x-aB3dEf.tmp", "laser-17-aB3dEf.tmp"]
        {
            assert_eq!(parse(other), None, "{other}");
        }
        assert!(is_running(std::process::id()));
    }
}
