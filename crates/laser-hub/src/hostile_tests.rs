//! What a hub, or who stands in its place, must not bring about.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use crate::Hub;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";
/// printf 'weights' | sha256sum
const WEIGHTS_SHA256: &str = "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c";

/// A request: its path, and its headers in lower case.
struct Request {
    path: String,
    headers: BTreeMap<String, String>,
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// Answers each request with a status line, headers and a body, until the test ends. Gives its address.
fn serve(answer: impl Fn(&Request) -> (String, String) + Send + 'static) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let log = requests.clone();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let Some(path) = lines.next().and_then(|line| Some(line.split(' ').nth(1)?.to_owned())) else { continue };
            let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| {
                let (name, value) = line.split_once(": ")?;
                Some((name.to_lowercase(), value.to_lowercase()))
            });
            let request = Request { path, headers: headers.collect() };
            let (head, body) = answer(&request);
            log.lock().unwrap().push(request);
            let _ = write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n{body}");
        }
    });
    (address, requests)
}

/// The description of a model with one file of weights.
fn info(sha: &str) -> (String, String) {
    let body = format!(
        r#"{{"sha": "{sha}", "siblings": [{{"rfilename": "config.json"}}, {{"rfilename": "model.safetensors"}}]}}"#
    );
    (format!("200 OK\r\nContent-Length: {}", body.len()), body)
}

/// A hub on which the configuration is plain, and the weights are answered by `weights`.
fn hub_with(weights: impl Fn(&Request) -> (String, String) + Send + 'static) -> (String, Requests) {
    serve(move |request| match request.path.as_str() {
        path if path.starts_with("/api/") => info(SHA),
        path if path.ends_with("/config.json") => ("200 OK\r\nETag: \"c\"\r\nContent-Length: 2".into(), "{}".into()),
        _ => weights(request),
    })
}

fn fetch(cache: &Path, endpoint: &str) -> Result<std::path::PathBuf, String> {
    let hub = Hub {
        cache: cache.to_owned(),
        endpoint: endpoint.to_owned(),
        token: Some("hf_secret".to_owned()),
        offline: false,
    };
    hub.resolve("a/b", &mut |_| {}).map_err(|error| error.to_string())
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let (elsewhere, foreign) = serve(|_| ("200 OK\r\nContent-Length: 7".into(), "weights".into()));
    let target = format!("{elsewhere}/file");
    let (endpoint, own) = hub_with(move |request| match request.path.as_str() {
        "/moved" => (format!("302 Found\r\nLocation: {target}\r\nContent-Length: 0"), String::new()),
        _ => (
            format!(
                "302 Found\r\nLocation: /moved\r\nX-Linked-Etag: \"{WEIGHTS_SHA256}\"\r\nX-Linked-Size: 7\r\nX-Repo-Commit: {SHA}\r\nContent-Length: 0"
            ),
            String::new(),
        ),
    });
    let cache = tempfile::tempdir().unwrap();
    let folder = fetch(cache.path(), &endpoint).unwrap();
    assert_eq!(fs::read_to_string(folder.join("model.safetensors")).unwrap(), "weights");
    assert_eq!(names(&cache.path().join("models--a--b/blobs")), [WEIGHTS_SHA256, "c"]);
    for request in own.lock().unwrap().iter() {
        assert_eq!(
            request.headers.get("authorization").map(String::as_str),
            Some("bearer hf_secret"),
            "{}",
            request.path
        );
    }
    let foreign = foreign.lock().unwrap();
    assert!(!foreign.is_empty() && foreign.iter().all(|request| !request.headers.contains_key("authorization")));
}

#[cfg(unix)]
#[test]
fn links_in_the_cache_lead_no_write_elsewhere() {
    let places = ["refs/main", "blobs/c.part", ".locks/models--a--b/c.lock"];
    for place in places {
        let (endpoint, _) =
            hub_with(|_| (format!("200 OK\r\nETag: \"{WEIGHTS_SHA256}\"\r\nContent-Length: 7"), "weights".into()));
        let cache = tempfile::tempdir().unwrap();
        let own = cache.path().join("own");
        fs::write(&own, "x").unwrap();
        let folder =
            if place.starts_with(".locks") { cache.path().to_owned() } else { cache.path().join("models--a--b") };
        let link = folder.join(place);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&own, &link).unwrap();
        let error = fetch(cache.path(), &endpoint).unwrap_err();
        assert!(error.contains("it is a link, and not a file"), "{place}: {error}");
        assert_eq!(fs::read_to_string(&own).unwrap(), "x", "{place}");
    }
}

#[test]
fn a_name_that_leads_out_of_the_cache_is_refused() {
    for etag in ["../../../evil", "..", "a/b", "", "a\\b", "/etc/x"] {
        let (endpoint, _) =
            hub_with(move |_| (format!("200 OK\r\nETag: \"{etag}\"\r\nContent-Length: 7"), "weights".into()));
        let cache = tempfile::tempdir().unwrap();
        let error = fetch(&cache.path().join("hub"), &endpoint).unwrap_err();
        assert!(error.contains("which is no name for a file"), "{error}");
        assert_eq!(names(cache.path()), ["hub"]);
    }
    for sha in ["../../evil", "main", ""] {
        let (endpoint, _) = serve(move |_| info(sha));
        let cache = tempfile::tempdir().unwrap();
        let error = fetch(&cache.path().join("hub"), &endpoint).unwrap_err();
        assert!(error.contains("which is not a commit"), "{error}");
        assert!(names(cache.path()).is_empty());
    }
}

#[test]
fn another_content_than_was_announced_is_not_kept() {
    let head = |length: usize| format!("200 OK\r\nETag: \"{WEIGHTS_SHA256}\"\r\nContent-Length: {length}");
    let linked = format!(
        "302 Found\r\nLocation: /x\r\nX-Linked-Etag: \"{WEIGHTS_SHA256}\"\r\nX-Linked-Size: 7\r\nContent-Length: 0"
    );
    let commit = format!("{}\r\nX-Repo-Commit: {}", head(7), SHA.replace('0', "f"));
    let linked_to_more = move |request: &Request| match request.path.as_str() {
        "/x" => ("200 OK\r\nContent-Length: 100000".into(), "w".repeat(100_000)),
        _ => (linked.clone(), String::new()),
    };
    type Answer = Box<dyn Fn(&Request) -> (String, String) + Send>;
    let cases: [(&str, Answer); 3] = [
        ("is not what the hub announced, by its hash", Box::new(move |_| (head(7), "weighty".into()))),
        ("it sends more than it announced", Box::new(linked_to_more)),
        ("it was changed on the hub meanwhile", Box::new(move |_| (commit.clone(), "weights".into()))),
    ];
    for (expected, weights) in cases {
        let (endpoint, _) = hub_with(weights);
        let cache = tempfile::tempdir().unwrap();
        let error = fetch(cache.path(), &endpoint).unwrap_err();
        assert!(error.contains(expected) && !error.contains('\n'), "{error}");
        let repository = cache.path().join("models--a--b");
        assert_eq!(names(&repository.join("blobs")), ["c"]);
        assert_eq!(names(&repository.join("snapshots").join(SHA)), ["config.json"]);
    }
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    let (endpoint, requests) = hub_with(|request| {
        let first =
            request.headers.get("range").map_or(0, |range| range["bytes=".len()..range.len() - 1].parse().unwrap());
        let rest = &"weights"[first..];
        // Three bytes at a time, then the connection ends.
        let sent = &rest[..rest.len().min(3)];
        let status = if first == 0 { "200 OK" } else { "206 Partial Content" };
        let head = format!(
            "{status}\r\nETag: \"{WEIGHTS_SHA256}\"\r\nContent-Length: {}\r\nContent-Range: bytes {first}-6/7",
            rest.len()
        );
        (head, sent.to_owned())
    });
    let cache = tempfile::tempdir().unwrap();
    let folder = fetch(cache.path(), &endpoint).unwrap();
    assert_eq!(fs::read_to_string(folder.join("model.safetensors")).unwrap(), "weights");
    let ranges: Vec<Option<String>> = requests
        .lock()
        .unwrap()
        .iter()
        .filter(|request| request.path.ends_with("/model.safetensors"))
        .map(|request| request.headers.get("range").cloned())
        .collect();
    assert_eq!(ranges, [None, Some("bytes=3-".to_owned()), Some("bytes=6-".to_owned())]);
    assert_eq!(names(&cache.path().join("models--a--b/blobs")), [WEIGHTS_SHA256, "c"]);
}

#[test]
fn what_was_whole_before_a_kill_is_taken() {
    let (endpoint, requests) = hub_with(|request| {
        assert!(!request.headers.contains_key("range"), "nothing is left to ask for");
        (format!("200 OK\r\nETag: \"{WEIGHTS_SHA256}\"\r\nContent-Length: 7"), "weights".into())
    });
    for (part, asked) in [("weights", 1), ("weights and more", 1)] {
        let cache = tempfile::tempdir().unwrap();
        let blobs = cache.path().join("models--a--b/blobs");
        fs::create_dir_all(&blobs).unwrap();
        fs::write(blobs.join(format!("{WEIGHTS_SHA256}.part")), part).unwrap();
        requests.lock().unwrap().clear();
        let folder = fetch(cache.path(), &endpoint).unwrap();
        assert_eq!(fs::read_to_string(folder.join("model.safetensors")).unwrap(), "weights");
        let requests = requests.lock().unwrap();
        assert_eq!(requests.iter().filter(|it| it.path.ends_with("/model.safetensors")).count(), asked);
        assert_eq!(names(&blobs), [WEIGHTS_SHA256, "c"]);
    }
}

#[test]
fn a_repository_of_another_name_is_followed() {
    let (endpoint, _) = hub_with(|request| match request.path.as_str() {
        path if path.starts_with("/new/") => {
            (format!("200 OK\r\nETag: \"{WEIGHTS_SHA256}\"\r\nContent-Length: 7"), "weights".into())
        }
        path => (format!("307 Temporary Redirect\r\nLocation: /new{path}\r\nContent-Length: 0"), String::new()),
    });
    let cache = tempfile::tempdir().unwrap();
    fetch(cache.path(), &endpoint).unwrap();
    assert_eq!(names(&cache.path().join("models--a--b/blobs")), [WEIGHTS_SHA256, "c"]);
}

#[test]
fn who_comes_second_waits_for_the_first() {
    let (endpoint, _) =
        hub_with(|_| (format!("200 OK\r\nETag: \"{WEIGHTS_SHA256}\"\r\nContent-Length: 7"), "weights".into()));
    let cache = tempfile::tempdir().unwrap();
    let locks = cache.path().join(".locks/models--a--b");
    fs::create_dir_all(&locks).unwrap();
    let held = fs::File::create(locks.join(format!("{WEIGHTS_SHA256}.lock"))).unwrap();
    held.lock().unwrap();
    let folder = thread::scope(|scope| {
        let second = scope.spawn(|| fetch(cache.path(), &endpoint));
        thread::sleep(std::time::Duration::from_millis(500));
        assert!(!second.is_finished());
        drop(held);
        second.join().unwrap().unwrap()
    });
    assert!(folder.join("model.safetensors").exists());
}
