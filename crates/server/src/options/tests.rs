//! The table is sound, and values win in the right order.

use std::collections::HashSet;

use super::*;

fn resolve(
    flag: &[(&str, &str)],
    env: &[(&str, &str)],
    file: Option<&str>,
) -> Result<Options, OptionError> {
    let find = |list: &[(&str, &str)], name: &str| {
        list.iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| (*value).to_owned())
    };
    Options::resolve(&Sources {
        flag: &|name| find(flag, name).map(|value| vec![value]),
        env: &|name| find(env, name),
        file: file.map(|text| ("config.yaml", text)),
    })
}

#[test]
fn the_table_is_consistent() {
    let mut seen = HashSet::new();
    for spec in table() {
        assert!(seen.insert(spec.flag.to_owned()), "{} twice", spec.flag);
        let env = spec.env();
        assert!(env.is_empty() || seen.insert(env.clone()), "{env} twice");
        if let Some(path) = spec.yaml_path() {
            assert!(
                seen.insert(format!("yaml:{}", path.join("."))),
                "{path:?} twice"
            );
        }
        assert!(
            value::check(spec.kind, spec.default).is_ok(),
            "default of {}",
            spec.flag
        );
        assert!(
            spec.help.ends_with('.'),
            "help of {}: {}",
            spec.flag,
            spec.help
        );
    }
    clap::Command::new("server")
        .args(arguments())
        .debug_assert();
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let file = Some("networking:\n  http:\n    httpAddress: 1.1.1.1:1\n    sessionDuration: 2h\n");
    let env = [("CODER_HTTP_ADDRESS", "2.2.2.2:2")];
    let all = resolve(&[("http-address", "3.3.3.3:3")], &env, file).unwrap();
    assert_eq!(all.text("http-address"), "3.3.3.3:3");
    let some = resolve(&[], &env, file).unwrap();
    assert_eq!(some.text("http-address"), "2.2.2.2:2");
    assert_eq!(some.source("session-duration"), Source::Yaml);
    assert_eq!(some.duration("session-duration").as_secs(), 7200);
    assert_eq!(
        resolve(&[], &[], None).unwrap().text("http-address"),
        "127.0.0.1:3000"
    );
}

#[test]
fn what_is_not_honoured_is_refused_unless_it_asks_for_what_is() {
    let error = resolve(&[("oidc-client-id", "x")], &[], None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("--oidc-client-id"), "{error}");
    let error = resolve(&[], &[("CODER_TELEMETRY_ENABLE", "true")], None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("CODER_TELEMETRY_ENABLE"), "{error}");
    resolve(
        &[],
        &[
            ("CODER_TELEMETRY_ENABLE", "false"),
            ("CODER_UPDATE_CHECK", "0"),
        ],
        None,
    )
    .unwrap();
}

#[test]
fn wrong_values_name_their_option() {
    for (flag, value) in [
        ("session-duration", "soon"),
        ("api-rate-limit", "many"),
        ("access-url", "example.com"),
        ("dangerous-disable-rate-limits", "perhaps"),
    ] {
        let error = resolve(&[(flag, value)], &[], None)
            .unwrap_err()
            .to_string();
        assert!(error.contains(flag), "{error}");
    }
}

#[test]
fn an_unknown_key_of_the_file_is_named() {
    let error = resolve(&[], &[], Some("networking:\n  htpp: 1\n"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("networking.htpp"), "{error}");
    for bad in [
        "- a",
        "a: [",
        "networking:\n  http:\n    httpAddress: {a: b}\n",
    ] {
        assert!(resolve(&[], &[], Some(bad)).is_err(), "{bad}");
    }
    resolve(&[], &[], Some("")).unwrap();
}

#[test]
fn what_is_written_can_be_read() {
    let options = resolve(
        &[("http-address", "127.0.0.1:1"), ("experiments", "a,b")],
        &[],
        None,
    )
    .unwrap();
    let yaml = options.to_yaml();
    let again = resolve(&[], &[], Some(&yaml)).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    assert_eq!(again.text("http-address"), "127.0.0.1:1");
    assert_eq!(again.list("experiments"), ["a", "b"]);
    assert!(markdown().contains("## --http-address"));
}

/// `docs/server-options.md` is written from the table: after a change, run this
/// test once with `UPDATE_DOCS=1`.
#[test]
fn the_docs_page_is_up_to_date() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/server-options.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        page == markdown(),
        "docs/server-options.md is not what the table gives: UPDATE_DOCS=1 cargo test -p server --lib docs_page"
    );
}
