//! Media types by the end of a file's name, for those that browsers and models
//! tell apart.

use std::path::Path;

const UNKNOWN: &str = "application/octet-stream";

/// Pairs of a name's end and a media type.
const TYPES: [(&str, &str); 45] = [
    ("avif", "image/avif"),
    ("bash", "text/x-sh; charset=utf-8"),
    ("bmp", "image/bmp"),
    ("c", "text/x-c; charset=utf-8"),
    ("cpp", "text/x-c; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("gif", "image/gif"),
    ("go", "text/x-go; charset=utf-8"),
    ("gz", "application/gzip"),
    ("h", "text/x-c; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("java", "text/x-java; charset=utf-8"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("log", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("mjs", "text/javascript; charset=utf-8"),
    ("mp3", "audio/mpeg"),
    ("mp4", "video/mp4"),
    ("ogg", "audio/ogg"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("py", "text/x-python; charset=utf-8"),
    ("rb", "text/x-ruby; charset=utf-8"),
    ("rs", "text/rust; charset=utf-8"),
    ("sh", "text/x-sh; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("tif", "image/tiff"),
    ("tiff", "image/tiff"),
    ("toml", "application/toml"),
    ("txt", "text/plain; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("wav", "audio/wav"),
    ("webm", "video/webm"),
    ("webp", "image/webp"),
    ("xml", "text/xml; charset=utf-8"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
];

/// The media type of a file with this name.
pub fn of(path: &Path) -> &'static str {
    let end = path
        .extension()
        .map(|end| end.to_string_lossy().to_lowercase());
    end.and_then(|end| TYPES.iter().find(|(known, _)| *known == end))
        .map_or(UNKNOWN, |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_types() {
        assert_eq!(of(Path::new("/a/b.PNG")), "image/png");
        assert_eq!(of(Path::new("/a/b")), UNKNOWN);
        assert_eq!(of(Path::new("/a/b.unheard-of")), UNKNOWN);
    }
}
