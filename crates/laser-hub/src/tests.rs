//! A cache folder made by hand, and a small server in the hub's place.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
};

use crate::{DatasetFiles, Hub, is_hub_id, model_files::WEIGHTS};

const SAFETENSORS_INDEX: &str = WEIGHTS[1];
const PYTORCH_INDEX: &str = WEIGHTS[3];

/// The revision of a data set's Parquet files, as it stands in addresses.
const PARQUET: &str = "refs%2Fconvert%2Fparquet";
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

#[test]
fn ids_are_told_from_paths() {
    for id in ["gpt2", "EleutherAI/gpt-j-6b", "EleutherAI/gpt-j-6b@float16", "a/b_c.d@refs/pr/1", "a/b-1.5@v2.0"] {
        assert!(is_hub_id(id), "{id}");
    }
    for path in [
        "",
        "/",
        "/a",
        "a/",
        "a/b/c",
        "./a",
        "../a",
        "a/..",
        "~/a",
        "a b",
        "a/b@",
        "@main",
        "a/b@../c",
        "a/b@/c",
        "a/b@c d",
        "a--b",
        "-a",
        "a.",
        "model.gguf",
        "models/model.gguf",
        "a/model.safetensors",
        "a\\b",
        "a/b@c@d",
        "é/b",
    ] {
        assert!(!is_hub_id(path), "{path}");
    }
    assert!(!is_hub_id(&"a".repeat(97)));
}

#[test]
fn the_environment_is_read_as_hugging_face_reads_it() {
    let hub = |variables: &[(&str, &str)]| {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        Hub::from_variables(|name| variables.get(name).map(OsString::from))
    };
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    fs::write(folder.path().join("token"), "hf_file\n").unwrap();
    fs::write(folder.path().join("other"), "hf_other").unwrap();

    let found = hub(&[("HF_HOME", home)]);
    assert_eq!((found.cache, found.token.as_deref()), (folder.path().join("hub"), Some("hf_file")));
    assert_eq!((found.endpoint.as_str(), found.offline), ("https://huggingface.co", false));
    let other = folder.path().join("other");
    let found = hub(&[("HF_HOME", home), ("HF_TOKEN_PATH", other.to_str().unwrap()), ("HF_HUB_CACHE", "/c")]);
    assert_eq!((found.cache, found.token.as_deref()), (PathBuf::from("/c"), Some("hf_other")));
    let older = ("HUGGINGFACE_HUB_CACHE", "/d");
    assert_eq!(hub(&[("HF_HOME", home), older]).cache, PathBuf::from("/d"));
    assert_eq!(hub(&[older, ("HF_HUB_CACHE", "/c")]).cache, PathBuf::from("/c"));
    let found = hub(&[
        ("XDG_CACHE_HOME", home),
        ("HF_TOKEN", " hf_variable "),
        ("HF_ENDPOINT", "http://127.0.0.1:1/"),
        ("HF_HUB_OFFLINE", "True"),
    ]);
    assert_eq!((found.cache, found.token.as_deref()), (folder.path().join("huggingface/hub"), Some("hf_variable")));
    assert_eq!((found.endpoint.as_str(), found.offline), ("http://127.0.0.1:1", true));
    assert!(!hub(&[("HF_HUB_OFFLINE", "0")]).offline);
}

/// A cache that has `files` of "a/b" at revision "main".
fn cache_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let model = cache.path().join("models--a--b");
    let snapshot = model.join("snapshots").join(SHA);
    for folder in [&snapshot, &model.join("refs"), &model.join("blobs")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(model.join("refs/main"), SHA).unwrap();
    for (name, content) in files {
        fs::write(model.join("blobs").join(name), content).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(format!("../../blobs/{name}"), snapshot.join(name)).unwrap();
        #[cfg(not(unix))]
        fs::write(snapshot.join(name), content).unwrap();
    }
    cache
}

fn hub(cache: &Path, endpoint: &str, offline: bool) -> Hub {
    Hub { cache: cache.to_owned(), endpoint: endpoint.to_owned(), token: None, offline }
}

fn error_of(hub: &Hub, id: &str) -> String {
    let error = hub.resolve(id, &mut |_| {}).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

const SHARDS: &str = r#"{"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}"#;

#[test]
fn offline_the_cache_must_have_everything() {
    let whole = cache_of(&[("config.json", "{}"), ("model.safetensors", "x")]);
    let offline = hub(whole.path(), "http://127.0.0.1:1", true);
    let snapshot = whole.path().join("models--a--b/snapshots").join(SHA);
    for id in ["a/b", "a/b@main", &format!("a/b@{SHA}")] {
        assert_eq!(offline.resolve(id, &mut |_| {}).unwrap(), snapshot);
    }
    for id in ["a/c", "a/b@float16"] {
        let error = error_of(&offline, id);
        assert!(error.contains("HF_HUB_OFFLINE is set") && error.contains("does not have it"), "{error}");
    }
    assert!(error_of(&offline, "a/b/c").contains("OWNER/NAME@REVISION"));

    for (files, expected) in [
        (&[("model.safetensors", "x")][..], "no config.json"),
        (&[("config.json", "{}")], "no model.safetensors and no pytorch_model.bin"),
        (
            &[("config.json", "{}"), (SAFETENSORS_INDEX, SHARDS), ("model-1.safetensors", "x")],
            "lacks model-2.safetensors",
        ),
        (&[("config.json", "{}"), (PYTORCH_INDEX, "{}")], "an index that names no files"),
        (&[("config.json", "{}"), (PYTORCH_INDEX, r#"{"weight_map": {"x": "../y"}}"#)], "an index that names no files"),
        (&[("config.json", "{}"), (PYTORCH_INDEX, "{")], "an index that cannot be read"),
    ] {
        let cache = cache_of(files);
        let error = error_of(&hub(cache.path(), "", true), "a/b");
        assert!(error.contains(expected), "{error}");
    }
}

/// Answers like the hub for the model "a/b" and the data set "a/d", until the test ends.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(files: &[(&str, &str)]) -> Self {
        let files: BTreeMap<String, String> = files.iter().map(|&(name, text)| (name.into(), text.into())).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                answer(stream, &files, &log);
            }
        });
        Self { endpoint, requests }
    }

    /// The files that were asked for, each once, in the order of their names.
    fn fetched(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        let file = |request: &String| Some(request.split_once("/resolve/")?.1.split_once('/')?.1.to_owned());
        let files = requests.iter().filter_map(file);
        files.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn answer(mut stream: TcpStream, files: &BTreeMap<String, String>, log: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(path) = lines.next().and_then(|line| Some(line.split(' ').nth(1)?.to_owned())) else { return };
    let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    let header = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name));
    log.lock().unwrap().push(path.clone());
    let (status, extra, body) = if header("authorization: bearer hf_wrong").is_some() {
        ("401 Unauthorized", String::new(), String::new())
    } else if ["/api/models/a/b/revision/main", &format!("/api/datasets/a/d/revision/{PARQUET}")].contains(&&*path) {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        ("200 OK", String::new(), serde_json::json!({"sha": SHA, "siblings": siblings}).to_string())
    } else if let Some((name, text)) = [&format!("/a/b/resolve/{SHA}/"), &format!("/datasets/a/d/resolve/{SHA}/")]
        .into_iter()
        .find_map(|folder| files.get_key_value(path.strip_prefix(folder)?))
    {
        let etag = name.replace('/', "-");
        let range = header("range: bytes=").unwrap_or("0-");
        let (start, end) = range.split_once('-').unwrap();
        let start: usize = start.parse().unwrap();
        let end = end.parse::<usize>().map_or(text.len(), |end| end + 1);
        // A file whose name says so is shorter than it should be.
        let total = text.len() + usize::from(text == "cut short");
        let extra = format!(
            "Content-Range: bytes {start}-{}/{total}\r\nETag: \"etag-{etag}\"\r\nX-Repo-Commit: {SHA}\r\n",
            end.saturating_sub(1)
        );
        ("206 Partial Content", extra, text[start..end].to_owned())
    } else {
        ("404 Not Found", String::new(), String::new())
    };
    let length = body.len();
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{extra}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
}

#[test]
fn only_what_is_needed_is_fetched_and_only_once() {
    let server = Server::start(&[
        ("README.md", "no"),
        ("config.json", "{\"a\": 1}"),
        ("flax_model.msgpack", "no"),
        ("merges.txt", "a b"),
        ("model-1.safetensors", "first"),
        ("model-2.safetensors", "second"),
        ("model.safetensors.index.json", SHARDS),
        ("onnx/model.onnx", "no"),
        ("pytorch_model.bin", "no"),
        ("tokenizer.json", "{}"),
    ]);
    let wanted = [
        "config.json",
        "merges.txt",
        "model-1.safetensors",
        "model-2.safetensors",
        "model.safetensors.index.json",
        "tokenizer.json",
    ];
    let cache = tempfile::tempdir().unwrap();
    let online = hub(cache.path(), &server.endpoint, false);
    let mut seen = BTreeMap::new();
    let folder = online
        .resolve("a/b", &mut |download| {
            seen.insert(download.file.to_owned(), (download.done, download.total));
        })
        .unwrap();
    assert_eq!(folder, cache.path().join("models--a--b/snapshots").join(SHA));
    assert_eq!(server.fetched(), wanted);
    assert_eq!(seen.keys().collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
    assert_eq!(seen["model-2.safetensors"], (6, 6));
    assert_eq!(fs::read_to_string(folder.join("model-2.safetensors")).unwrap(), "second");
    assert_eq!(fs::read_to_string(cache.path().join("models--a--b/refs/main")).unwrap(), SHA);

    // Again: the hub is only asked for the newest commit; offline, or with no hub there, not even
    // that.
    let before = server.requests.lock().unwrap().len();
    assert_eq!(online.resolve("a/b", &mut |_| panic!("nothing is fetched")).unwrap(), folder);
    assert_eq!(server.requests.lock().unwrap().len(), before + 1);
    for (endpoint, offline) in [("http://127.0.0.1:1", true), ("http://127.0.0.1:1", false)] {
        assert_eq!(hub(cache.path(), endpoint, offline).resolve("a/b", &mut |_| {}).unwrap(), folder);
    }
}

#[test]
fn a_single_file_goes_before_shards_and_safetensors_before_pytorch() {
    let all =
        ["pytorch_model.bin.index.json", "pytorch_model.bin", "model.safetensors.index.json", "model.safetensors"];
    let shards = [("p-1.bin", "x"), ("s-1.safetensors", "x"), ("config.json", "{}")];
    for count in 1..=4 {
        let mut files: Vec<_> = all[..count]
            .iter()
            .map(|&name| match name {
                PYTORCH_INDEX => (name, r#"{"weight_map": {"x": "p-1.bin"}}"#),
                SAFETENSORS_INDEX => (name, r#"{"weight_map": {"x": "s-1.safetensors"}}"#),
                _ => (name, "x"),
            })
            .collect();
        files.extend(shards);
        let server = Server::start(&files);
        let cache = tempfile::tempdir().unwrap();
        hub(cache.path(), &server.endpoint, false).resolve("a/b", &mut |_| {}).unwrap();
        let mut expected = vec!["config.json", all[count - 1]];
        expected.extend([Some("p-1.bin"), None, Some("s-1.safetensors"), None][count - 1]);
        expected.sort_unstable();
        assert_eq!(server.fetched(), expected);
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let server = Server::start(&[("config.json", "{}"), ("model.gguf", "x")]);
    let cache = tempfile::tempdir().unwrap();
    let online = hub(cache.path(), &server.endpoint, false);
    assert!(error_of(&online, "a/b").contains("no model.safetensors and no pytorch_model.bin"));
    assert!(error_of(&online, "a/c").contains("no such model or revision"));
    assert!(error_of(&online, "a/b@float16").contains("no such model or revision"));
    let locked = Hub { token: Some("hf_wrong".to_owned()), ..online };
    assert!(error_of(&locked, "a/b").contains("set HF_TOKEN"));
    let error = error_of(&hub(cache.path(), "http://127.0.0.1:1", false), "a/b");
    assert!(error.contains("cannot be reached") && error.contains("check the connection"), "{error}");
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn a_file_that_arrives_short_is_not_kept() {
    let server = Server::start(&[("config.json", "{}"), ("model.safetensors", "cut short")]);
    let cache = tempfile::tempdir().unwrap();
    let error = error_of(&hub(cache.path(), &server.endpoint, false), "a/b");
    assert!(error.contains("model.safetensors arrived with 9 of 10 bytes"), "{error}");
    let model = cache.path().join("models--a--b");
    assert!(!model.join("snapshots").join(SHA).join("model.safetensors").exists());
    assert!(!model.join("blobs/etag-model.safetensors").exists());
}

fn split(config: Option<&str>, split: &str) -> DatasetFiles {
    DatasetFiles { id: "a/d".to_owned(), config: config.map(str::to_owned), split: split.to_owned() }
}

fn dataset_error(hub: &Hub, files: &DatasetFiles) -> String {
    let error = hub.dataset(files, &mut |_| {}).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    let why = error.strip_prefix(&format!("cannot get {:?} from the Hugging Face hub: ", files.id));
    why.unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn a_split_of_a_data_set_is_fetched_once() {
    let server = Server::start(&[
        (".gitattributes", "no"),
        ("default/test/0000.parquet", "no"),
        ("default/train/0000.parquet", "first"),
        ("default/train/0001.parquet", "second"),
        ("default/train/0002.parquet", "third"),
        ("other/train/0000.parquet", "no"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let online = hub(cache.path(), &server.endpoint, false);
    let train = split(None, "train");
    let mut seen = BTreeMap::new();
    let paths = online.dataset(&train, &mut |download| {
        seen.insert(download.file.to_owned(), (download.done, download.total));
    });
    let paths = paths.unwrap();
    let repo = cache.path().join("datasets--a--d");
    let folder = repo.join("snapshots").join(SHA).join("default/train");
    assert_eq!(paths, [0, 1, 2].map(|number| folder.join(format!("000{number}.parquet"))));
    let texts: Vec<String> = paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts, ["first", "second", "third"]);
    assert_eq!(server.fetched(), [0, 1, 2].map(|number| format!("default/train/000{number}.parquet")));
    assert_eq!(seen["default/train/0001.parquet"], (6, 6));
    assert_eq!(fs::read_to_string(repo.join("refs/refs/convert/parquet")).unwrap(), SHA);

    let before = server.requests.lock().unwrap().len();
    let named = split(Some("default"), "train");
    assert_eq!(online.dataset(&named, &mut |_| panic!("nothing is fetched")).unwrap(), paths);
    assert_eq!(server.requests.lock().unwrap().len(), before + 1);
    for (endpoint, offline) in [("http://127.0.0.1:1", true), ("http://127.0.0.1:1", false)] {
        assert_eq!(hub(cache.path(), endpoint, offline).dataset(&train, &mut |_| {}).unwrap(), paths);
    }
    let offline = hub(cache.path(), "", true);
    let cached = folder.parent().unwrap().parent().unwrap();
    assert_eq!(
        dataset_error(&offline, &split(None, "test")),
        format!(
            "HF_HUB_OFFLINE is set, and its cached copy {} has no split `test` in `default`, only `train`: unset it, or fetch the data set first",
            cached.display()
        )
    );
}

#[test]
fn the_only_configuration_need_not_be_named() {
    let server = Server::start(&[("en/test/0000.parquet", "x"), ("en/partial-train/0000.parquet", "y")]);
    let cache = tempfile::tempdir().unwrap();
    let online = hub(cache.path(), &server.endpoint, false);
    let paths = online.dataset(&split(None, "test"), &mut |_| {}).unwrap();
    assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "x");
    assert_eq!(
        dataset_error(&online, &split(None, "train")),
        "it has only the beginning of the split `train` as Parquet: write `partial-train` to make do with that, or give a data file"
    );
    let paths = online.dataset(&split(None, "partial-train"), &mut |_| {}).unwrap();
    assert_eq!(fs::read_to_string(&paths[0]).unwrap(), "y");
}

#[test]
fn what_a_data_set_does_not_have_is_said() {
    let server = Server::start(&[
        ("de/test/0000.parquet", "x"),
        ("en/test/0000.parquet", "x"),
        ("en/train/0001.parquet", "x"),
        ("en/../0000.parquet", "x"),
        ("en/test/x.parquet", "x"),
    ]);
    let cache = tempfile::tempdir().unwrap();
    let online = hub(cache.path(), &server.endpoint, false);
    let of = |id: &str| DatasetFiles { id: id.to_owned(), ..split(None, "test") };
    let empty = Server::start(&[("README.md", "x")]);
    for (hub, files, expected) in [
        (&online, split(None, "test"), "it has no configuration `default`, only `de`, `en`: choose one of these"),
        (&online, split(Some("fr"), "test"), "it has no configuration `fr`, only `de`, `en`: choose one of these"),
        (&online, split(Some("en"), "dev"), "it has no split `dev` in `en`, only `test`, `train`: choose one of these"),
        (
            &online,
            split(Some("en"), "../../x"),
            "it has no split `../../x` in `en`, only `test`, `train`: choose one of these",
        ),
        (&online, split(Some("en"), "train"), "it has no en/train/0000.parquet but later parts: give a data file"),
        (&hub(cache.path(), &empty.endpoint, false), split(None, "test"), "it has no Parquet files: give a data file"),
        (
            &online,
            of("a/none"),
            "the hub has no such data set, or no Parquet files of it: check the spelling, or give a data file",
        ),
        (&online, of("a/b/c"), "it is not a data set's id: write OWNER/NAME"),
        (&online, of("a/b@main"), "it is not a data set's id: write OWNER/NAME"),
    ] {
        assert_eq!(dataset_error(hub, &files), expected);
    }
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn half_a_split_is_not_taken_for_a_whole_one() {
    let server = Server::start(&[("c/test/0000.parquet", "cut short"), ("c/test/0001.parquet", "x")]);
    let cache = tempfile::tempdir().unwrap();
    let files = split(None, "test");
    let error = dataset_error(&hub(cache.path(), &server.endpoint, false), &files);
    assert_eq!(error, "c/test/0000.parquet arrived with 9 of 10 bytes: run this again");
    let error = dataset_error(&hub(cache.path(), "", true), &files);
    assert!(error.contains("does not have it"), "{error}");
}
