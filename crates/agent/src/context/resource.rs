//! One thing that was found, and everything that was found at one time.

use api_types::{ContextResource, ContextSnapshot};
use rpc::proto::agent::{
    self as proto, InstructionFileBody, McpConfigBody, McpServerBody, McpTool,
    PushContextStateRequest, SkillMetaBody, context_resource::Body,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::mcp::{Listed, Tool};

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Text for the model.
    InstructionFile,
    /// A skill, by its description.
    Skill,
    /// A file that configures MCP servers; its content stays here.
    McpConfig,
    /// An MCP server, by its tools.
    McpServer,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::InstructionFile => "instruction_file",
            Self::Skill => "skill",
            Self::McpConfig => "mcp_config",
            Self::McpServer => "mcp_server",
        }
    }
}

/// Whether its content is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Ok,
    /// It is too large.
    Oversize,
    /// It cannot be read.
    Unreadable,
    /// It makes no sense.
    Invalid,
    /// There is too much in all.
    Excluded,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Oversize => "oversize",
            Self::Unreadable => "unreadable",
            Self::Invalid => "invalid",
            Self::Excluded => "excluded",
        }
    }

    const fn proto(self) -> proto::context_resource::Status {
        match self {
            Self::Ok => proto::context_resource::Status::Ok,
            Self::Oversize => proto::context_resource::Status::Oversize,
            Self::Unreadable => proto::context_resource::Status::Unreadable,
            Self::Invalid => proto::context_resource::Status::Invalid,
            Self::Excluded => proto::context_resource::Status::Excluded,
        }
    }
}

/// One thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// What it is.
    pub kind: Kind,
    /// Where it is: a file, or the directory of a skill.
    pub source: String,
    /// The added place that led to it, if one did.
    pub source_path: Option<String>,
    /// SHA-256 of its content.
    pub hash: [u8; 32],
    /// Bytes of its content.
    pub size: u64,
    /// Whether its content is here.
    pub state: State,
    /// Why it is not.
    pub error: String,
    /// Name of a skill.
    pub name: String,
    /// In a few words.
    pub description: String,
    /// The content.
    pub payload: Vec<u8>,
    /// The tools of a server.
    pub tools: Vec<Tool>,
}

impl Resource {
    /// A server that was asked for its tools.
    pub fn of_server(server: &Listed) -> Self {
        let (state, error, tools) = match &server.tools {
            Ok(tools) => (State::Ok, String::new(), tools.clone()),
            Err(error) => (State::Unreadable, error.clone(), Vec::new()),
        };
        let described = format!("{tools:?}");
        Self {
            kind: Kind::McpServer,
            source: server.name.clone(),
            source_path: None,
            hash: Sha256::digest(&described).into(),
            size: described.len() as u64,
            state,
            error,
            name: server.name.clone(),
            description: String::new(),
            payload: Vec::new(),
            tools,
        }
    }

    /// The same for the same thing at all times.
    pub fn id(&self) -> String {
        format!("{}:{}", self.kind.name(), self.source)
    }

    fn proto(&self) -> proto::ContextResource {
        let body = match self.kind {
            Kind::InstructionFile => Body::InstructionFile(InstructionFileBody {
                content: self.payload.clone(),
            }),
            Kind::Skill => Body::Skill(SkillMetaBody {
                meta: self.payload.clone(),
                name: self.name.clone(),
                description: self.description.clone(),
            }),
            Kind::McpConfig => Body::McpConfig(McpConfigBody {}),
            Kind::McpServer => Body::McpServer(McpServerBody {
                server_name: self.name.clone(),
                description: self.description.clone(),
                tools: self.tools.iter().map(tool).collect(),
            }),
        };
        proto::ContextResource {
            source: self.source.clone(),
            source_path: self.source_path.clone(),
            content_hash: self.hash.to_vec(),
            size_bytes: self.size,
            status: self.state.proto().into(),
            error: self.error.clone(),
            body: Some(body),
        }
    }
}

fn tool(tool: &Tool) -> McpTool {
    McpTool {
        name: tool.name.clone(),
        description: tool.description.clone(),
        input_schema: Some(object(&tool.schema)),
    }
}

fn object(map: &Map<String, Value>) -> prost_types::Struct {
    prost_types::Struct {
        fields: map
            .iter()
            .map(|(name, v)| (name.clone(), value(v)))
            .collect(),
    }
}

/// A JSON value as protobuf has it.
fn value(json: &Value) -> prost_types::Value {
    use prost_types::value::Kind;
    let kind = match json {
        Value::Null => Kind::NullValue(0),
        Value::Bool(bool) => Kind::BoolValue(*bool),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(values) => Kind::ListValue(prost_types::ListValue {
            values: values.iter().map(value).collect(),
        }),
        Value::Object(map) => Kind::StructValue(object(map)),
    };
    prost_types::Value { kind: Some(kind) }
}

/// Everything that was found at one time, in the order of the ids.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Grows with each change; zero before the first look.
    pub version: u64,
    /// What was found.
    pub resources: Vec<Resource>,
}

impl Snapshot {
    /// Whether both looks found the same.
    pub fn same_as(&self, other: &Self) -> bool {
        self.resources == other.resources
    }

    /// A hash of what ends up in prompts. MCP servers are not part of it: their tools
    /// are looked up when they are needed.
    pub fn hash(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        let mut text = |text: &str| {
            hasher.update(format!("{}:{text}", text.len()));
        };
        for resource in self.resources.iter().filter(|r| r.kind < Kind::McpConfig) {
            text(&resource.id());
            text(resource.kind.name());
            text(&resource.source);
            text(&hex(&resource.hash));
            text(resource.state.name());
        }
        hasher.finalize().into()
    }

    /// As the API shows it, without contents.
    pub fn to_json(&self) -> ContextSnapshot {
        let one = |resource: &Resource| ContextResource {
            id: resource.id(),
            kind: resource.kind.name().to_owned(),
            source: resource.source.clone(),
            source_path: resource.source_path.clone().unwrap_or_default(),
            content_hash: hex(&resource.hash),
            size_bytes: resource.size,
            status: resource.state.name().to_owned(),
            error: resource.error.clone(),
            name: resource.name.clone(),
            description: resource.description.clone(),
        };
        ContextSnapshot {
            version: self.version,
            aggregate_hash: hex(&self.hash()),
            resources: self.resources.iter().map(one).collect(),
            payload_bytes: self.resources.iter().map(|r| r.payload.len() as u64).sum(),
            snapshot_error: String::new(),
        }
    }

    /// As the server is told; `initial` is the first time on a connection.
    pub fn to_push(&self, initial: bool) -> PushContextStateRequest {
        PushContextStateRequest {
            version: self.version,
            aggregate_hash: self.hash().to_vec(),
            resources: self.resources.iter().map(Resource::proto).collect(),
            initial,
            snapshot_error: String::new(),
        }
    }
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |four: u8| char::from(DIGITS[usize::from(four & 15)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(*byte)])
        .collect()
}
