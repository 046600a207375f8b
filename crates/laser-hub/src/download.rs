//! One file of the hub, stored as Hugging Face's own library stores it: its content under the name of
//! that content, and a link to it.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use laser_files::open_plain;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::{
    failure::Failure,
    hub::Download,
    hub_id::is_plain,
    repository::Repository,
    web::{Opened, Web, unreachable},
};

/// How often a transfer that breaks off is taken up again.
const TRIES: usize = 4;
/// Before the hub is asked again; each time four times as long.
const PAUSE: Duration = Duration::from_millis(250);
/// So long is waited for another process that fetches the same.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3600);

/// Fetches `file` of the commit `commit` to its place in the cache, and says where that is.
pub(crate) fn download(
    web: &Web,
    repository: &Repository,
    cache: &Path,
    commit: &str,
    file: &str,
    progress: &mut dyn FnMut(Download<'_>),
) -> Result<PathBuf, Failure> {
    let address = repository.file_path(commit, &escaped(file));
    let open = |start| again(|| web.open(&address, start));
    let Some((announced, opened)) = open(0)? else { return Err(unreachable("it has no beginning")) };
    if announced.commit.as_ref().is_some_and(|found| found != commit) {
        return Err(Failure::Refused("it was changed on the hub meanwhile: run this again".to_owned()));
    }
    let etag = announced.etag;
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if !is_plain(&etag) || etag.len() > 200 || !etag.bytes().all(letters) {
        let why = format!("the hub names the content of {file} by {etag:?}, which is no name for a file");
        return Err(Failure::Refused(why));
    }
    let blob = repository.folder(cache).join("blobs").join(&etag);
    let link = repository.snapshot(cache, commit).join(file);
    for folder in [blob.parent(), link.parent()].into_iter().flatten() {
        fs::create_dir_all(folder).map_err(stored)?;
    }
    let _lock = locked(&repository.lock(cache, &etag))?;
    let part = blob.with_file_name(format!("{etag}.part"));
    let (mut first, mut tries) = (Some(opened), 0);
    while !blob.exists() {
        tries += 1;
        let mut there = fs::metadata(&part).map_or(0, |found| found.len());
        if announced.size.is_some_and(|size| there > size) {
            fs::remove_file(&part).map_err(stored)?;
            there = 0;
        }
        // What is whole has been killed before it was checked.
        if announced.size != Some(there) || there == 0 {
            let opened = match first.take().filter(|_| there == 0) {
                Some(opened) => Some(opened),
                None => open(there)?.map(|(_, opened)| opened),
            };
            let Some(mut opened) = opened else {
                fs::remove_file(&part).ok();
                if tries < TRIES {
                    continue;
                }
                return Err(unreachable("it does not send the rest of the file"));
            };
            let size = announced.size.or(opened.size);
            let outcome = receive(&part, &mut opened, size, &mut |done| {
                progress(Download { file, done, total: size.unwrap_or(done) });
            });
            let length = fs::metadata(&part).map_or(0, |found| found.len());
            match (outcome, size) {
                (Err(Failure::Unreachable(_)), _) if tries < TRIES => continue,
                (Err(failure), _) => return Err(failure),
                (Ok(()), Some(size)) if length < size && tries < TRIES => continue,
                (Ok(()), Some(size)) if length != size => {
                    // Where nothing more came, the next run begins anew.
                    if length == there {
                        fs::remove_file(&part).ok();
                    }
                    let why = format!("{file} arrived with {length} of {size} bytes: run this again");
                    return Err(Failure::Refused(why));
                }
                (Ok(()), _) => {}
            }
        }
        if !is_content(&part, &etag).map_err(stored)? {
            fs::remove_file(&part).ok();
            let why = format!("{file} is not what the hub announced, by its hash: run this again");
            return Err(Failure::Refused(why));
        }
        fs::rename(&part, &blob).map_err(stored)?;
    }
    if !link.exists() {
        // Of a link to what is not there.
        fs::remove_file(&link).ok();
        place(&blob, &link, Path::new(file).components().count()).map_err(stored)?;
    }
    Ok(link)
}

/// What `attempt` gives, which is tried again after a while where the hub cannot be reached.
fn again<T>(attempt: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match attempt() {
            Err(Failure::Unreachable(_)) => thread::sleep(pause),
            outcome => return outcome,
        }
        pause *= 4;
    }
    attempt()
}

/// The lock at `path`, waited for while another process has it. A file system without locks does without.
fn locked(path: &Path) -> Result<Option<File>, Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(stored)?;
    }
    let lock = open_plain(path, File::options().create(true).truncate(false).write(true).clone()).map_err(stored)?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(Some(lock)),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LONGEST_WAIT => {
                thread::sleep(Duration::from_millis(200))
            }
            Err(TryLockError::WouldBlock) => {
                let why = format!("another process is fetching it ({}): wait for that one", path.display());
                return Err(Failure::Refused(why));
            }
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
}

/// Adds what comes to the file at `part`; no more than `size` bytes in all.
fn receive(part: &Path, opened: &mut Opened, size: Option<u64>, progress: &mut dyn FnMut(u64)) -> Result<(), Failure> {
    let mut file = open_plain(part, File::options().create(true).append(true).clone()).map_err(stored)?;
    let mut done = file.metadata().map_err(stored)?.len();
    if opened.start != done {
        // The server does not go on from there.
        file.set_len(0).map_err(stored)?;
        done = 0;
        if opened.start != 0 {
            return Err(unreachable("it sent another part of the file than was asked for"));
        }
    }
    progress(done);
    let mut buffer = vec![0; 1 << 16];
    let mut body = opened.body.as_reader();
    loop {
        let read = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A body that ends too soon is told by its length, where that is known.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && size.is_some() => break,
            Err(error) => return Err(unreachable(error)),
        };
        done += read as u64;
        if size.is_some_and(|size| done > size) {
            fs::remove_file(part).ok();
            return Err(Failure::Refused("it sends more than it announced: run this again".to_owned()));
        }
        file.write_all(&buffer[..read]).map_err(stored)?;
        progress(done);
    }
    file.sync_all().map_err(stored)
}

/// Whether a file's content is what `etag` names, where that is a hash: SHA-256 of large files, git's of small ones.
fn is_content(path: &Path, etag: &str) -> io::Result<bool> {
    let is_hash = |length: usize| etag.len() == length && etag.bytes().all(|byte| byte.is_ascii_hexdigit());
    let etag = etag.to_lowercase();
    if is_hash(64) {
        let mut hash = Sha256::new();
        io::copy(&mut File::open(path)?, &mut hash)?;
        return Ok(format!("{:x}", hash.finalize()) == etag);
    }
    if is_hash(40) {
        let mut hash = Sha1::new();
        hash.update(format!("blob {}\0", fs::metadata(path)?.len()));
        io::copy(&mut File::open(path)?, &mut hash)?;
        return Ok(format!("{:x}", hash.finalize()) == etag);
    }
    Ok(true)
}

/// Puts a link to `blob` at `link`, which is `depth` names below the commit's folder.
fn place(blob: &Path, link: &Path, depth: usize) -> io::Result<()> {
    #[cfg(unix)]
    {
        // snapshots/COMMIT/FILE
        let up: PathBuf = std::iter::repeat_n("..", depth + 1).collect();
        let name = blob.file_name().unwrap_or_default();
        std::os::unix::fs::symlink(up.join("blobs").join(name), link)
    }
    #[cfg(not(unix))]
    {
        let _ = depth;
        let copy = link.with_extension("part");
        fs::copy(blob, &copy)?;
        fs::rename(copy, link)
    }
}

/// A file's name as part of an address.
fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// A failure of the disk.
pub(crate) fn stored(error: io::Error) -> Failure {
    Failure::Refused(format!("it could not be stored ({error}): make room, or set HF_HUB_CACHE to another folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_told_by_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "hello\n").unwrap();
        // printf 'hello\n' | git hash-object --stdin; printf 'hello\n' | sha256sum
        let git = "ce013625030ba8dba906f756967f9e9ca394464a";
        let sha = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        for hash in [git, sha] {
            assert!(is_content(&path, hash).unwrap());
            assert!(!is_content(&path, &hash.replace('0', "1")).unwrap());
        }
        assert!(is_content(&path, "another-name").unwrap());
    }

    #[test]
    fn names_are_escaped() {
        assert_eq!(escaped("a b/c%#?.bin"), "a%20b/c%25%23%3F.bin");
    }
}
