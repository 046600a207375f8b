//! A cache folder made by hand, and a small server in the hub's place.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use super::*;

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
            &[("config.json", "{}"), (safetensors::INDEX, SHARDS), ("model-1.safetensors", "x")],
            "lacks model-2.safetensors",
        ),
        (&[("config.json", "{}"), (pytorch::INDEX, "{}")], "an index that names no files"),
        (
            &[("config.json", "{}"), (pytorch::INDEX, r#"{"weight_map": {"x": "../y"}}"#)],
            "an index that names no files",
        ),
        (&[("config.json", "{}"), (pytorch::INDEX, "{")], "an index that cannot be read"),
    ] {
        let cache = cache_of(files);
        let error = error_of(&hub(cache.path(), "", true), "a/b");
        assert!(error.contains(expected), "{error}");
    }
}

/// Answers like the hub for the model "a/b", until the test ends.
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
        let files = requests.iter().filter_map(|request| Some(request.split_once("/resolve/main/")?.1.to_owned()));
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
    } else if path == "/api/models/a/b/revision/main" {
        let siblings: Vec<_> = files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        ("200 OK", String::new(), serde_json::json!({"sha": SHA, "siblings": siblings}).to_string())
    } else if let Some((name, text)) =
        path.strip_prefix("/a/b/resolve/main/").and_then(|name| files.get_key_value(name))
    {
        let range = header("range: bytes=").unwrap_or("0-");
        let (start, end) = range.split_once('-').unwrap();
        let start: usize = start.parse().unwrap();
        let end = end.parse::<usize>().map_or(text.len(), |end| end + 1);
        // A file whose name says so is shorter than it should be.
        let total = text.len() + usize::from(text == "cut short");
        let extra = format!(
            "Content-Range: bytes {start}-{}/{total}\r\nETag: \"etag-{name}\"\r\nX-Repo-Commit: {SHA}\r\n",
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

    // Again: the hub is only asked for the newest commit; offline, or with no hub there, not even that.
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
                pytorch::INDEX => (name, r#"{"weight_map": {"x": "p-1.bin"}}"#),
                safetensors::INDEX => (name, r#"{"weight_map": {"x": "s-1.safetensors"}}"#),
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
