//! Compiles the protocol files of `proto/` to message types, typed clients and
//! service traits; no `protoc` needed.

use std::fmt::Write as _;

use prost_build::{Method, Service, ServiceGenerator};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "tailnet",
        "agent",
        "agentsocket",
        "provisioner",
        "provisionerd",
    ]
    .map(|name| format!("proto/{name}.proto"));
    for file in &files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(&files, ["proto"])?;
    prost_build::Config::new()
        .btree_map(["."])
        .skip_debug(SECRET_MESSAGES)
        .service_generator(Box::new(DrpcServices))
        .compile_fds(descriptors)?;
    Ok(())
}

/// Messages that carry credentials; `src/proto/redacted.rs` gives them a
/// `Debug` that does not print these.
const SECRET_MESSAGES: [&str; 8] = [
    ".coder.agent.v2.WorkspaceSecret",
    ".coder.agent.v2.SubAgent",
    ".coder.tailnet.v2.RefreshResumeTokenResponse",
    ".provisioner.VariableValue",
    ".provisioner.ExternalAuthProvider",
    ".provisioner.RunningAgentAuthToken",
    ".provisioner.Metadata",
    ".provisioner.Agent",
];

/// Writes, for each service, a client over a DRPC channel, a trait for the
/// serving side whose methods default to "unimplemented", and the dispatcher
/// from method names to that trait.
struct DrpcServices;

impl ServiceGenerator for DrpcServices {
    fn generate(&mut self, service: Service, out: &mut String) {
        let name = &service.name;
        let path = format!("/{}.{}", service.package, service.proto_name);
        let mut client = String::new();
        let mut methods = String::new();
        let mut arms = String::new();
        for method in &service.methods {
            client.push_str(&client_method(&path, method));
            methods.push_str(&trait_method(method));
            arms.push_str(&dispatch_arm(&path, method));
        }
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            r#"
            /// Calls the service over a DRPC channel.
            #[derive(Clone)]
            pub struct {name}Client {{ channel: crate::drpc::Channel }}

            impl {name}Client {{
                /// A client whose every call opens a stream on `channel`.
                pub fn new(channel: crate::drpc::Channel) -> Self {{ Self {{ channel }} }}
                {client}
            }}

            /// The serving side; a method that is not overridden answers "unimplemented".
            pub trait {name}Service: Send + Sync + 'static {{
                {methods}
            }}

            /// Hands calls to a [`{name}Service`].
            pub struct {name}Server<T>(pub std::sync::Arc<T>);

            impl<T: {name}Service> crate::drpc::Service for {name}Server<T> {{
                fn call(&self, call: crate::drpc::Call) -> crate::drpc::Dispatch {{
                    let service = std::sync::Arc::clone(&self.0);
                    match call.method() {{
                        {arms}
                        _ => crate::drpc::Dispatch::Unknown(call),
                    }}
                }}
            }}
            "#
        );
    }
}

fn client_method(path: &str, method: &Method) -> String {
    let Method {
        name,
        proto_name,
        input_type,
        output_type,
        ..
    } = method;
    let (arguments, result, call) = match (method.client_streaming, method.server_streaming) {
        (false, false) => (
            format!(", request: &{input_type}"),
            output_type.clone(),
            format!("unary(\"{path}/{proto_name}\", request)"),
        ),
        (false, true) => (
            format!(", request: &{input_type}"),
            format!("crate::drpc::Receiver<{output_type}>"),
            format!("server_stream(\"{path}/{proto_name}\", request)"),
        ),
        (true, _) => (
            String::new(),
            format!("(crate::drpc::Sender<{input_type}>, crate::drpc::Receiver<{output_type}>)"),
            format!("bidi(\"{path}/{proto_name}\")"),
        ),
    };
    format!(
        r"
        /// Calls `{proto_name}`.
        pub async fn {name}(&self{arguments}) -> Result<{result}, crate::drpc::Error> {{
            self.channel.{call}.await
        }}
        "
    )
}

fn trait_method(method: &Method) -> String {
    let Method {
        name,
        proto_name,
        input_type,
        output_type,
        ..
    } = method;
    let (arguments, unused, result) = match (method.client_streaming, method.server_streaming) {
        (false, false) => (
            format!("request: {input_type}"),
            "request",
            output_type.as_str(),
        ),
        (false, true) => (
            format!("request: {input_type}, output: crate::drpc::Sender<{output_type}>"),
            "(request, output)",
            "()",
        ),
        (true, false) => (
            format!("input: crate::drpc::Receiver<{input_type}>"),
            "input",
            output_type.as_str(),
        ),
        (true, true) => (
            format!(
                "input: crate::drpc::Receiver<{input_type}>, output: crate::drpc::Sender<{output_type}>"
            ),
            "(input, output)",
            "()",
        ),
    };
    format!(
        r"
        /// Answers `{proto_name}`.
        fn {name}(&self, {arguments})
            -> impl std::future::Future<Output = Result<{result}, crate::drpc::Status>> + Send
        {{
            let _ = {unused};
            std::future::ready(Err(crate::drpc::Status::unimplemented()))
        }}
        "
    )
}

fn dispatch_arm(path: &str, method: &Method) -> String {
    let Method {
        name, proto_name, ..
    } = method;
    let body = match (method.client_streaming, method.server_streaming) {
        (false, false) => format!("call.unary(|request| service.{name}(request))"),
        (false, true) => {
            format!("call.server_stream(|request, output| service.{name}(request, output))")
        }
        (true, false) => format!("call.client_stream(|input| service.{name}(input))"),
        (true, true) => format!("call.bidi(|input, output| service.{name}(input, output))"),
    };
    format!(
        r#"
        "{path}/{proto_name}" => crate::drpc::Dispatch::Call(Box::pin(async move {{ {body}.await }})),
        "#
    )
}
