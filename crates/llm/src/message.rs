//! The conversation as every provider's wire format is made from it.

use api_types::Secret;
use bytes::Bytes;
use serde_json::Value;

use crate::Metadata;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions of the platform. Several in a row are allowed; a system message after the first
    /// other message is sent where the provider has a place for it, else at the top.
    System,
    /// The person (or another program) who asks.
    User,
    /// The model.
    Assistant,
    /// Answers to the tool calls of the assistant message before.
    Tool,
}

/// One message: who speaks, and what is said.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one text.
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            parts: vec![Part::text(text)],
        }
    }

    /// The texts of the message, one after the other.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }
}

/// A piece of a message. The provider that cannot express a piece leaves it out or says it in text;
/// it never fails for it, except when the piece breaks one of the provider's limits.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// What the provider must see again.
        metadata: Metadata,
    },
    /// An image, PDF or other file, in user messages.
    Media(MediaPart),
    /// What the model thought, in assistant messages. The text may be empty (redacted or omitted)
    /// while the metadata is not.
    Reasoning {
        /// What may be shown.
        text: String,
        /// Signature or encrypted content, replayed unchanged.
        metadata: Metadata,
    },
    /// The model asks for a tool of ours, in assistant messages; or, with
    /// [`ToolCall::provider_executed`], for one that the provider runs itself.
    ToolCall(ToolCall),
    /// The answer to a call: in tool messages, or in the assistant message when the provider ran the
    /// tool.
    ToolResult(ToolResult),
    /// Where a statement comes from (web search). Never sent.
    Source(Source),
}

impl Part {
    /// A plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            metadata: Metadata::default(),
        }
    }
}

/// A file within a message.
#[derive(Debug, Clone, PartialEq)]
pub struct MediaPart {
    /// Media type, such as `image/png` or `application/pdf`, without parameters.
    pub media_type: String,
    /// Name to show to the model, if there is one.
    pub name: Option<String>,
    /// Its bytes.
    pub data: FileData,
}

/// Bytes of a file, shared between the copies of a conversation and never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct FileData(Secret<Bytes>);

impl FileData {
    /// Wraps `bytes`.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(Secret::new(bytes.into()))
    }

    /// The bytes.
    pub fn bytes(&self) -> &Bytes {
        self.0.expose()
    }
}

impl std::fmt::Debug for FileData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.bytes().len())
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolCall {
    /// Unique within its message, also where the provider repeated an id or gave none.
    pub id: String,
    /// Name of the tool as the model wrote it; it may be one that does not exist.
    pub name: String,
    /// Arguments as the model wrote them: JSON by intent, but not checked. Empty means `{}`.
    pub args: String,
    /// Whether the provider runs the tool itself, so that nobody here answers it.
    pub provider_executed: bool,
    /// What the provider must see again.
    pub metadata: Metadata,
}

impl ToolCall {
    /// The arguments as an object.
    ///
    /// # Errors
    /// Says, in words for the model, why they are not a JSON object.
    pub fn parsed(&self) -> Result<serde_json::Map<String, Value>, String> {
        if self.args.trim().is_empty() {
            return Ok(serde_json::Map::new());
        }
        match serde_json::from_str(&self.args) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(format!(
                "the arguments of {} must be a JSON object",
                self.name
            )),
            Err(error) => Err(format!(
                "the arguments of {} are not valid JSON: {error}",
                self.name
            )),
        }
    }

    /// The arguments as an object whatever the model wrote, for wire formats that demand one: what
    /// is not JSON comes as the field `invalid_arguments`.
    pub(crate) fn args_object(&self) -> Value {
        self.parsed().map_or_else(
            |_| serde_json::json!({ "invalid_arguments": self.args }),
            Value::Object,
        )
    }
}

/// The answer to a tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolResult {
    /// The call that it answers.
    pub call_id: String,
    /// Name of the tool.
    pub name: String,
    /// The answer.
    pub output: ToolOutput,
    /// Whether the call failed.
    pub is_error: bool,
    /// Whether the provider ran the tool itself.
    pub provider_executed: bool,
    /// What the provider must see again.
    pub metadata: Metadata,
}

/// What a tool answers.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolOutput {
    /// Text; JSON is text too.
    Text(String),
    /// An image or file, with text beside it (possibly empty).
    Media {
        /// Text beside it.
        text: String,
        /// The file.
        media: MediaPart,
    },
    /// What the provider's own tool answered, in the provider's form.
    Provider(Value),
}

/// Where a statement of the model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Unique within the answer.
    pub id: String,
    /// Address.
    pub url: String,
    /// Title, possibly empty.
    pub title: String,
}
