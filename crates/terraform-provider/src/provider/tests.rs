//! Messages in, messages out.

use super::*;
use crate::value::field;
use tf::provider_server::Provider as _;

fn provider() -> Provider {
    Provider::new(Environment::given([("CODER_AGENT_URL", "http://h:1")]))
}

#[expect(clippy::unnecessary_wraps, reason = "fields of messages are optional")]
fn raw(bytes: &[u8]) -> Option<tf::DynamicValue> {
    Some(tf::DynamicValue {
        msgpack: bytes.to_vec(),
        json: Vec::new(),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "fields of messages are optional")]
fn value(entries: &[(&str, Value)]) -> Option<tf::DynamicValue> {
    Some(message(
        entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    ))
}

fn run<T>(future: impl Future<Output = Reply<T>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(future).unwrap().into_inner()
}

#[test]
fn garbage_and_unknown_names_are_answered_with_an_error() {
    let provider = provider();
    for (name, bytes) in [
        ("coder_agent", &[0xc3][..]),
        ("coder_agent", &[0x91]),
        ("coder_nothing", &[0x80]),
        ("", &[]),
    ] {
        let type_name = name.to_owned();
        let reply = run(provider.validate_resource_type_config(Request::new(
            tf::validate_resource_type_config::Request {
                type_name: type_name.clone(),
                config: raw(bytes),
            },
        )));
        assert!(!reply.diagnostics.is_empty(), "{name} {bytes:x?}");
        let reply = run(
            provider.read_data_source(Request::new(tf::read_data_source::Request {
                type_name: type_name.clone(),
                config: raw(bytes),
            })),
        );
        assert!(!reply.diagnostics.is_empty(), "{name} {bytes:x?}");
    }
    let reply = run(provider.apply_resource_change(Request::new(
        tf::apply_resource_change::Request {
            type_name: "coder_agent".into(),
            planned_state: raw(&[0xc3]),
            ..Default::default()
        },
    )));
    assert_eq!(reply.diagnostics.len(), 1);
    let reply = run(provider.upgrade_resource_state(Request::new(
        tf::upgrade_resource_state::Request {
            type_name: "coder_agent".into(),
            version: 0,
            raw_state: Some(tf::RawState {
                json: b"{\"env\": 5}".to_vec(),
                flatmap: std::collections::HashMap::new(),
            }),
        },
    )));
    assert!(
        reply.diagnostics[0]
            .detail
            .contains("env must be a map of strings")
    );
}

#[test]
fn a_resource_is_planned_created_and_destroyed() {
    let provider = provider();
    let config = value(&[("os", "linux".into()), ("arch", "amd64".into())]);
    let planned = run(provider.plan_resource_change(Request::new(
        tf::plan_resource_change::Request {
            type_name: "coder_agent".into(),
            prior_state: Some(null()),
            proposed_new_state: config.clone(),
            config: config.clone(),
            prior_private: Vec::new(),
        },
    )));
    assert!(planned.legacy_type_system && planned.diagnostics.is_empty());
    assert_eq!(planned.planned_private, br#"{"schema_version":"1"}"#);
    let created = run(provider.apply_resource_change(Request::new(
        tf::apply_resource_change::Request {
            type_name: "coder_agent".into(),
            prior_state: Some(null()),
            planned_state: planned.planned_state,
            config,
            planned_private: planned.planned_private,
        },
    )));
    let Value::Map(state) = decode(&created.new_state.clone().unwrap().msgpack).unwrap() else {
        panic!()
    };
    assert_eq!(field(&state, "connection_timeout"), &Value::int(120));
    let destroyed = run(provider.apply_resource_change(Request::new(
        tf::apply_resource_change::Request {
            type_name: "coder_agent".into(),
            prior_state: created.new_state,
            planned_state: Some(null()),
            ..Default::default()
        },
    )));
    assert_eq!(destroyed.new_state, Some(null()));
}

#[test]
fn the_url_may_not_be_empty_and_must_be_one() {
    let configure = |url: Value| {
        run(provider().configure(Request::new(tf::configure::Request {
            terraform_version: String::new(),
            config: value(&[("url", url)]),
        })))
        .diagnostics
    };
    assert!(configure(Value::Null).is_empty());
    assert!(configure(Value::Unknown).is_empty());
    assert!(
        configure("".into())[0]
            .summary
            .contains("CODER_AGENT_URL must not be empty")
    );
    assert_eq!(configure("http://h:x".into()).len(), 1);
}
