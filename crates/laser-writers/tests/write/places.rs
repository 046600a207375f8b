//! Where may be written, what may be replaced, and what is left when something fails.

use super::*;
use laser_writers::{EditedCheckpoint, Form, ModelWriter, Staging, WriteError};

#[test]
fn only_what_may_be_replaced_is() {
    let place = tempfile::tempdir().unwrap();
    let folder = copy_of("llama");
    let source = Checkpoint::open(folder.path()).unwrap();
    let write = |out: &Path, force| {
        let options = WriteOptions { force, ..WriteOptions::default() };
        write_model(&source, &edits(&["1.fc_in:0.5"]), out, &HuggingFaceWriter::default(), &options)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let out = place.path().join("out");
    write(&out, false).unwrap();
    assert!(write(&out, false).unwrap_err().contains("it exists"));
    write(&out, true).unwrap();
    fs::write(out.join("old"), "").unwrap();
    assert!(write(&out, true).unwrap_err().contains("old in it is not of this program"));
    fs::remove_file(out.join("old")).unwrap();
    // A file that is as long as before and another, whose hash the record has lost.
    let (path, mut config) = (out.join("config.json"), fs::read_to_string(out.join("config.json")).unwrap());
    config.replace_range(..1, " ");
    fs::write(&path, config).unwrap();
    let record = fs::read_to_string(out.join("laser.json")).unwrap();
    let mut lost: serde_json::Value = serde_json::from_str(&record).unwrap();
    for file in lost["files"].as_array_mut().unwrap() {
        file.as_object_mut().unwrap().remove("sha256");
    }
    fs::write(out.join("laser.json"), lost.to_string()).unwrap();
    assert!(write(&out, true).unwrap_err().contains("in it was changed since it was written"));
    assert_eq!(names(place.path()), ["out"]);

    fs::create_dir(place.path().join("mine")).unwrap();
    write(&place.path().join("mine"), true).unwrap();
    fs::remove_file(place.path().join("mine/laser.json")).unwrap();
    assert!(write(&place.path().join("mine"), true).unwrap_err().contains("did not write it"));
    fs::write(place.path().join("file"), "kept").unwrap();
    assert!(write(&place.path().join("file"), true).unwrap_err().contains("not a folder"));
    assert_eq!(fs::read(place.path().join("file")).unwrap(), b"kept");
    assert!(write(Path::new("/"), true).unwrap_err().contains("not a name"));
    assert!(write(&place.path().join(".."), true).unwrap_err().contains("not a name"));
    assert!(write(&place.path().join("no/such/out"), true).unwrap_err().contains("make it first"));
    fs::write(folder.path().join("laser.json"), "{}").unwrap();
    assert!(write(folder.path(), true).unwrap_err().contains("being read"));
    assert!(write(folder.path().parent().unwrap(), true).is_err());
    assert_eq!(names(place.path()), ["file", "mine", "out"]);
    open_again(folder.path());
}

fn open_again(path: &Path) {
    common::open_and_read(path).unwrap();
}

#[test]
fn a_model_from_another_program_still_opens_after_its_config_was_kept() {
    let folder = copy_of("llama");
    set_config(folder.path(), "my_own_key", json!({ "a": [1] }));
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    write_model(
        &Checkpoint::open(folder.path()).unwrap(),
        &[],
        &out,
        &HuggingFaceWriter::default(),
        &WriteOptions::default(),
    )
    .unwrap();
    assert_eq!(json_of(&out.join("config.json"))["my_own_key"]["a"][0], 1);
}

#[test]
fn bad_requests_are_refused_before_anything_is_written() {
    let place = tempfile::tempdir().unwrap();
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let out = place.path().join("out");
    let one = edits(&["1.fc_in:0.5"])[0].clone();
    let twice = [one.clone(), one.clone()];
    let twice =
        write_model(&source, &twice, &out, &HuggingFaceWriter::default(), &WriteOptions::default()).unwrap_err();
    assert!(twice.to_string().contains("edited twice"));
    let far = write_model(
        &source,
        &[Intervention { layer: 99, ..one }],
        &out,
        &HuggingFaceWriter::default(),
        &WriteOptions::default(),
    )
    .unwrap_err();
    assert!(far.to_string().contains("layer 99"));
    for name in ["../x", "a/b", "", "laser.json", "model.safetensors"] {
        let options = WriteOptions { extra: vec![(name.into(), vec![])], ..WriteOptions::default() };
        assert!(
            write_model(&source, &[], &out, &HuggingFaceWriter::default(), &options)
                .unwrap_err()
                .to_string()
                .contains("not a name for a further file")
        );
    }
    assert!(names(place.path()).is_empty());
}

/// The test starts itself again where no file may grow beyond 100 blocks of 512 or 1024 bytes, which is how a full disk looks from inside.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_nothing() {
    const PLACE: &str = "LASER_TEST_FULL_DISK";
    if let Some(place) = std::env::var_os(PLACE) {
        let source = Checkpoint::open(&fixture("llama")).unwrap();
        let out = Path::new(&place).join("out");
        let error = write_model(
            &source,
            &edits(&["1.fc_in:0.5"]),
            &out,
            &HuggingFaceWriter::default(),
            &WriteOptions::default(),
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("cannot write ") && text.contains("out/model.safetensors: "), "{text}");
        assert_eq!(text.lines().count(), 1);
        assert!(names(Path::new(&place)).is_empty());
        return;
    }
    let place = tempfile::tempdir().unwrap();
    // By pipes: a log that the output goes to may be longer than that already.
    let output = std::process::Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$0\" --exact places::a_disk_that_is_full_leaves_nothing"])
        .arg(std::env::current_exe().unwrap())
        .env(PLACE, place.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[cfg(unix)]
#[test]
fn a_written_folder_is_readable_as_any_other() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().unwrap();
    let (out, other) = (place.path().join("out"), place.path().join("other"));
    write_model(
        &Checkpoint::open(&fixture("llama")).unwrap(),
        &[],
        &out,
        &HuggingFaceWriter::default(),
        &WriteOptions::default(),
    )
    .unwrap();
    fs::create_dir(&other).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&out), mode(&other));
}

/// A file that somebody else makes, too, while it is written.
struct Contested(Form);

impl ModelWriter for Contested {
    fn form(&self) -> Form {
        self.0
    }

    fn reserves(&self, _: &str) -> bool {
        false
    }

    fn write(&self, _: &EditedCheckpoint<'_>, to: &Staging) -> Result<(), WriteError> {
        to.write(&to.file_name(), b"ours")?;
        match self.0 {
            Form::File => fs::write(to.target_of(""), "theirs").unwrap(),
            Form::Folder => fs::create_dir_all(to.target_of("theirs")).unwrap(),
        }
        Ok(())
    }
}

#[test]
fn what_has_come_meanwhile_is_not_replaced() {
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    for form in [Form::File, Form::Folder] {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let done = write_model(&source, &[], &out, &Contested(form), &WriteOptions::default());
        assert!(done.unwrap_err().to_string().contains("put there meanwhile"), "{form:?}");
        match form {
            Form::File => assert_eq!(fs::read(&out).unwrap(), b"theirs"),
            Form::Folder => assert_eq!(names(&out), ["theirs"]),
        }
        assert_eq!(names(place.path()), ["out"]);
    }
}

/// The number of a process that has come to its end.
#[cfg(unix)]
fn dead_process() -> u32 {
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

#[cfg(unix)]
#[test]
fn what_a_killed_process_put_aside_comes_back() {
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (out, aside) = (place.path().join("out"), place.path().join(format!(".laser-{}-aB3dE9.old", dead_process())));
    let write = |force| {
        let options = WriteOptions { force, ..WriteOptions::default() };
        write_model(&source, &[], &out, &Listing, &options).map_err(|error| error.to_string())
    };
    let put_aside = || {
        fs::create_dir_all(aside.join("out")).unwrap();
        fs::write(aside.join("out/laser.json"), "old").unwrap();
    };
    // Killed between the two steps: it is there again.
    put_aside();
    assert!(write(false).unwrap_err().contains("it exists"));
    assert_eq!(fs::read(out.join("laser.json")).unwrap(), b"old");
    assert_eq!(names(place.path()), ["out"]);
    // Killed after the second one: what has come in its place stays.
    put_aside();
    fs::write(out.join("laser.json"), "new").unwrap();
    assert!(write(false).unwrap_err().contains("it exists"));
    assert_eq!(fs::read(out.join("laser.json")).unwrap(), b"new");
    assert!(write(true).unwrap_err().contains("no laser.json"));
    fs::remove_dir_all(&out).unwrap();
    write(false).unwrap();
    assert_eq!(names(place.path()), ["out"]);
    // While somebody writes, it is not touched.
    put_aside();
    let lock = fs::File::open(&aside).unwrap();
    lock.lock().unwrap();
    write(true).unwrap();
    assert!(aside.exists());
}

/// A form that has one small file.
struct Listing;

impl ModelWriter for Listing {
    fn reserves(&self, name: &str) -> bool {
        name == "listing.txt"
    }

    fn write(&self, model: &EditedCheckpoint<'_>, folder: &Staging) -> Result<(), WriteError> {
        folder.write("listing.txt", model.checkpoint().architecture().family.as_bytes())
    }
}

#[test]
fn what_all_forms_have_in_common_is_outside_of_their_writers() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let source = Checkpoint::open(&fixture("llama")).unwrap();
    let write = |force, extra: &str| {
        let options = WriteOptions { force, extra: vec![(extra.into(), b"mine".to_vec())], ..WriteOptions::default() };
        write_model(&source, &[], &out, &Listing, &options).map_err(|error| error.to_string())
    };
    write(false, "NOTES").unwrap();
    assert_eq!(names(&out), ["NOTES", "laser.json", "listing.txt"]);
    assert_eq!(json_of(&out.join("laser.json"))["source"]["path"], json!("llama"));
    assert!(write(false, "NOTES").unwrap_err().contains("--force"));
    write(true, "OTHER").unwrap();
    assert_eq!(names(&out), ["OTHER", "laser.json", "listing.txt"]);
    for reserved in ["listing.txt", "laser.json", "../x"] {
        assert!(write(true, reserved).unwrap_err().contains("not a name for a further file"), "{reserved}");
    }
    assert_eq!(names(place.path()), ["out"]);
}
