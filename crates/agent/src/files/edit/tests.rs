//! Edits that fit, nearly fit, and do not.

use api_types::FileEdit;

use super::replace::replace;
use super::*;

fn changed(content: &str, search: &str, new: &str) -> Result<String, String> {
    let edit = FileEdit {
        search: search.into(),
        replace: new.into(),
        replace_all: false,
    };
    replace(content.as_bytes(), &edit).map(|new| String::from_utf8(new).unwrap())
}

#[test]
fn exact_text_is_replaced_anywhere() {
    assert_eq!(changed("one two", "two", "three").unwrap(), "one three");
    assert_eq!(changed("a\nb\n", "b", "").unwrap(), "a\n\n");
    let said = changed("x x", "x", "y").unwrap_err();
    assert!(said.contains("matches 2 occurrences"), "{said}");
    assert!(
        changed("x", "", "y")
            .unwrap_err()
            .contains("must not be empty")
    );
    let all = FileEdit {
        search: "x".into(),
        replace: "yy".into(),
        replace_all: true,
    };
    assert_eq!(replace(b"x x\xff", &all).unwrap(), b"yy yy\xff");
}

#[test]
fn the_files_endings_stay() {
    assert_eq!(
        changed("a\r\nb\r\nc\r\n", "a\nb\n", "a\nB\n").unwrap(),
        "a\r\nB\r\nc\r\n"
    );
    assert_eq!(
        changed("a\r\nb\r\n", "a", "x\ny").unwrap(),
        "x\r\ny\r\nb\r\n"
    );
    // An edit of endings is taken at its word.
    assert_eq!(
        changed("a\r\nb\r\n", "a\r\nb\r\n", "a\nb\n").unwrap(),
        "a\nb\n"
    );
    assert!(changed("a\nb\n", "a\r\nb\r\n", "a\nb\n").is_err());
    assert_eq!(changed("  a\n  b", "a\nb\n", "a\nc\n").unwrap(), "  a\n  c");
    assert_eq!(changed("  a \nb", "a\n", "c").unwrap(), "  c \nb");
}

#[test]
fn spaces_at_the_end_of_lines_do_not_matter() {
    assert_eq!(
        changed("a  \nb\t\nc\n", "a\nb\n", "a\nx\n").unwrap(),
        "a  \nx\t\nc\n"
    );
}

#[test]
fn indentation_is_the_files() {
    let file = "fn f() {\n\tif x {\n\t\ty();\n\t}\n}\n";
    // The whole is searched for with spaces and less deep.
    let got = changed(
        file,
        "if x {\n    y();\n}\n",
        "if x {\n    y();\n    z();\n}\n",
    )
    .unwrap();
    assert_eq!(got, "fn f() {\n\tif x {\n\t\ty();\n\t\tz();\n\t}\n}\n");
    // A deeper line gets as many levels more as its author meant.
    let got = changed(
        "a:\n  b: 1\n  c: 2\n",
        "a:\n    b: 1\n",
        "a:\n    b: 1\n    d:\n        e: 3\n",
    );
    assert_eq!(got.unwrap(), "a:\n  b: 1\n  d:\n    e: 3\n  c: 2\n");
    // A change of indentation that the author made on purpose is made.
    assert_eq!(changed("\t\ta\n", "  a\n", "    a\n").unwrap(), "    a\n");
    // Nothing grows on empty lines.
    assert_eq!(
        changed("\ta\n\tb\n", "a\nb\n", "a\n\nb\n").unwrap(),
        "\ta\n\n\tb\n"
    );
}

#[test]
fn lines_may_go() {
    assert_eq!(changed("\ta\n\tb\n\tc\n", "a\nb\n", "").unwrap(), "\tc\n");
    assert_eq!(
        changed("\ta\n\tb\n\tc\n", "a\nb\nc\n", "a\nc\n").unwrap(),
        "\ta\n\tc\n"
    );
}

#[test]
fn a_search_in_vain_is_explained() {
    let said = changed("new\nold two\n", "old one", "new").unwrap_err();
    assert!(said.contains("Did you swap"), "{said}");
    let said = changed("a\n------\n", "-----x\n", "b").unwrap_err();
    assert!(!said.contains("U+"), "{said}");
    let said = changed("a\n// ------\n", "// ----\n", "b").unwrap_err();
    assert!(
        said.contains("Your search has 4 \"-\" (U+002D); the file has 6 at line 2"),
        "{said}"
    );
}

fn request(files: &[(&Path, &[(&str, &str)])]) -> FileEditRequest {
    FileEditRequest {
        files: files
            .iter()
            .map(|(path, edits)| FileEdits {
                path: path.to_string_lossy().into_owned(),
                edits: edits
                    .iter()
                    .map(|(search, new)| FileEdit {
                        search: (*search).into(),
                        replace: (*new).into(),
                        replace_all: false,
                    })
                    .collect(),
            })
            .collect(),
        include_diff: true,
    }
}

#[test]
fn files_change_together_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let (a, b) = (root.path().join("a"), root.path().join("b"));
    std::fs::write(&a, "1\n").unwrap();
    std::fs::write(&b, "2\n").unwrap();
    let wrong = request(&[(&a, &[("1", "x")]), (&b, &[("nothing", "y")])]);
    assert_eq!(edit(&wrong).unwrap_err().kind, Kind::Invalid);
    assert_eq!(std::fs::read(&a).unwrap(), b"1\n");
    let missing = root.path().join("missing");
    let wrong = request(&[(&a, &[("none", "x")]), (&missing, &[("1", "y")])]);
    let error = edit(&wrong).unwrap_err();
    assert_eq!(error.kind, Kind::Missing);
    assert_eq!(error.text.lines().count(), 2);

    // Edits of one file follow each other, also where it is named twice.
    let good = request(&[
        (&a, &[("1", "x")]),
        (&b, &[("2", "y")]),
        (&a, &[("x", "z")]),
    ]);
    let files = edit(&good).unwrap().files;
    assert_eq!(std::fs::read(&a).unwrap(), b"z\n");
    assert_eq!(files.len(), 2);
    assert!(files[0].diff.contains("-1\n+z\n"), "{}", files[0].diff);
}

#[test]
fn nonsense_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (file, link) = (root.path().join("a"), root.path().join("b"));
    std::fs::write(&file, "1\n").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let two_names = request(&[(&file, &[("1", "2")]), (&link, &[("1", "2")])]);
    for wrong in [
        FileEditRequest::default(),
        request(&[(&file, &[])]),
        request(&[(Path::new(""), &[("1", "2")])]),
        request(&[(Path::new("a"), &[("1", "2")])]),
        request(&[(root.path(), &[("1", "2")])]),
        two_names,
    ] {
        assert_eq!(edit(&wrong).unwrap_err().kind, Kind::Invalid);
    }
    assert_eq!(std::fs::read(&file).unwrap(), b"1\n");
}
