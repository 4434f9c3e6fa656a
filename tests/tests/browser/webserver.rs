//! Serves the pages and the packages that they load, on loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// A web server for as long as the test runs.
pub(crate) struct WebServer {
    origin: String,
}

/// Where the files are.
struct Folders {
    pages: PathBuf,
    packages: PathBuf,
}

impl WebServer {
    /// Serves tests/browser/page, and below `/packages` and `/bundle` what was installed in a folder.
    pub(crate) fn start(packages: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser/page");
        let folders = Arc::new(Folders { pages, packages: packages.to_owned() });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let folders = Arc::clone(&folders);
                // A browser opens connections that it may never use.
                thread::spawn(move || folders.serve(&stream));
            }
        });
        Self { origin }
    }

    /// The origin of its pages, as browsers name it.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
}

impl Folders {
    /// Answers one request, and closes.
    fn serve(&self, mut stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
        let Some(request) = lines.next() else { return };
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let target = request.split(' ').nth(1).unwrap_or("/");
        let path = target.split('?').next().unwrap_or("/");
        let found = self.file(path).and_then(|file| Some((media_type(&file), std::fs::read(file).ok()?)));
        let (status, (media_type, body)) = match found {
            Some(found) => ("200 OK", found),
            None => ("404 Not Found", ("text/plain", Vec::new())),
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // The browser may have gone.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    }

    /// The file behind a path, unless it leads elsewhere.
    fn file(&self, path: &str) -> Option<PathBuf> {
        let path = Path::new(path.strip_prefix('/')?);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        Some(if let Ok(package) = path.strip_prefix("packages") {
            self.packages.join("node_modules").join(package)
        } else if path.starts_with("bundle") {
            self.packages.join(path)
        } else if path.as_os_str().is_empty() {
            self.pages.join("index.html")
        } else {
            self.pages.join(path)
        })
    }
}

fn media_type(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        _ => "application/octet-stream",
    }
}
