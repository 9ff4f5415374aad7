//! What agents tell of their workspaces for AI agents: checked, kept, and passed on to chats.

use authz::Subject;
use prost_types::value::Kind as ValueKind;
use rpc::proto::agent::context_resource::{Body, Status};
use rpc::proto::agent::{
    ContextResource, McpTool, PushContextStateRequest, PushContextStateResponse,
};
use serde_json::{Map, Value, json};
use store::workspace_agents::{AgentContext, ContextResourceRow};

use super::convert::{cut, text};
use super::{AgentSession, agent_subject, invalid};
use crate::{Control, Result};

/// Most things that are taken; agents tell of 500 at most, and of what they left out beside.
const MAX_RESOURCES: usize = 1000;
/// Largest content of one thing, in bytes; agents send a quarter of it at most.
const MAX_BODY: usize = 256 << 10;
/// Largest content of all things, in bytes: what fits into a message.
const MAX_BODIES: usize = 4 << 20;
/// Longest path, in bytes: part of a key of the database.
const MAX_SOURCE: usize = 1024;
/// Longest error, in bytes.
const MAX_ERROR: usize = 4096;
/// Longest hash, in bytes.
const MAX_HASH: usize = 64;
/// Deepest nesting of a tool's schema: it becomes JSON, which is read by recursion.
const MAX_DEPTH: usize = 64;

impl Control {
    /// Keeps what an agent tells. Chats that know nothing yet are told; those that know something
    /// else are marked, and their owners hear of it.
    pub async fn agent_context_push(
        &self,
        agent: &AgentSession,
        request: PushContextStateRequest,
    ) -> Result<PushContextStateResponse> {
        let told = checked(request)?;
        let who = agent_subject();
        let tx = self.store().begin(&who).await?;
        if !tx.agent_context_set(&who, agent.agent_id, &told).await? {
            return Ok(PushContextStateResponse { accepted: false });
        }
        for touched in tx.chats_context_follow(&who, agent.agent_id).await? {
            tx.chat_announce(&touched.change("context_dirty")).await?;
        }
        tx.commit().await?;
        Ok(PushContextStateResponse { accepted: true })
    }

    /// Tells the drifted chats of an agent's owner anew what the agent told last; how many it were.
    pub async fn agent_chats_context_refresh(&self, agent: &AgentSession) -> Result<i64> {
        let who: Subject = agent_subject();
        let conn = self.store().conn().await?;
        let chats = conn
            .chats_context_dirty(&who, agent.agent_id, agent.owner_id)
            .await?;
        drop(conn);
        let mut refreshed = 0;
        for chat in chats {
            let tx = self.store().begin(&who).await?;
            tx.chat_context_pin_by_agent(&who, chat).await?;
            tx.commit().await?;
            refreshed += 1;
        }
        Ok(refreshed)
    }
}

fn checked(request: PushContextStateRequest) -> Result<AgentContext> {
    let version = i64::try_from(request.version)
        .map_err(|_| invalid(format!("version {} is too large", request.version)))?;
    at_most("the aggregate hash", request.aggregate_hash.len(), MAX_HASH)?;
    at_most(
        "the snapshot error",
        request.snapshot_error.len(),
        MAX_ERROR,
    )?;
    if request.resources.len() > MAX_RESOURCES {
        return Err(invalid(format!(
            "{} resources are more than {MAX_RESOURCES}",
            request.resources.len()
        )));
    }
    let mut seen = std::collections::HashSet::new();
    let mut total = 0;
    let mut resources = Vec::with_capacity(request.resources.len());
    for resource in request.resources {
        let row = row(resource)?;
        let size = row.content.len() + row.tools.to_string().len();
        at_most(&format!("the content of {:?}", row.source), size, MAX_BODY)?;
        total += size;
        if !seen.insert((row.kind.clone(), row.source.clone())) {
            return Err(invalid(format!("{:?} is told twice", row.source)));
        }
        resources.push(row);
    }
    at_most("all contents", total, MAX_BODIES)?;
    Ok(AgentContext {
        version,
        initial: request.initial,
        aggregate_hash: request.aggregate_hash,
        snapshot_error: text(&request.snapshot_error),
        resources,
    })
}

fn at_most(what: &str, size: usize, most: usize) -> Result<()> {
    if size > most {
        return Err(invalid(format!(
            "{what} has {size} bytes, more than {most}"
        )));
    }
    Ok(())
}

fn row(resource: ContextResource) -> Result<ContextResourceRow> {
    let status = match resource.status() {
        Status::Ok => "ok",
        Status::Oversize => "oversize",
        Status::Unreadable => "unreadable",
        Status::Invalid => "invalid",
        Status::Excluded => "excluded",
        Status::Unspecified => {
            return Err(invalid(format!(
                "{:?} has the unknown status {}",
                resource.source, resource.status
            )));
        }
    };
    if resource.source.is_empty() {
        return Err(invalid("a resource has no source"));
    }
    let source_path = resource.source_path.unwrap_or_default();
    at_most("a source", resource.source.len(), MAX_SOURCE)?;
    at_most("a source path", source_path.len(), MAX_SOURCE)?;
    at_most("an error", resource.error.len(), MAX_ERROR)?;
    at_most("a content hash", resource.content_hash.len(), MAX_HASH)?;
    let mut row = ContextResourceRow {
        source: text(&resource.source),
        source_path: text(&source_path),
        content_hash: resource.content_hash,
        size_bytes: i64::try_from(resource.size_bytes).unwrap_or(i64::MAX),
        status: status.to_owned(),
        error: text(&resource.error),
        tools: json!([]),
        ..ContextResourceRow::default()
    };
    match resource.body {
        Some(Body::InstructionFile(body)) => {
            "instruction_file".clone_into(&mut row.kind);
            row.content = text(&String::from_utf8_lossy(&body.content));
        }
        Some(Body::Skill(body)) => {
            "skill".clone_into(&mut row.kind);
            row.content = text(&String::from_utf8_lossy(&body.meta));
            row.name = text(cut(&body.name, api_types::MAX_SKILL_NAME));
            row.description = text(cut(&body.description, MAX_ERROR));
        }
        Some(Body::McpConfig(_)) => "mcp_config".clone_into(&mut row.kind),
        Some(Body::McpServer(body)) => {
            "mcp_server".clone_into(&mut row.kind);
            row.name = text(cut(&body.server_name, MAX_SOURCE));
            row.description = text(cut(&body.description, MAX_ERROR));
            row.tools = body.tools.iter().map(tool).collect::<Result<_>>()?;
        }
        None => return Err(invalid(format!("{:?} is of no known kind", row.source))),
    }
    Ok(row)
}

fn tool(tool: &McpTool) -> Result<Value> {
    let schema = match &tool.input_schema {
        Some(schema) => object(schema, 0)?,
        None => Value::Null,
    };
    Ok(json!({
        "name": text(&tool.name),
        "description": text(&tool.description),
        "input_schema": schema,
    }))
}

fn object(map: &prost_types::Struct, depth: usize) -> Result<Value> {
    if depth > MAX_DEPTH {
        return Err(invalid("the schema of a tool is nested too deeply"));
    }
    let fields = map.fields.iter();
    let fields = fields.map(|(name, v)| Ok((text(name), value(v, depth + 1)?)));
    Ok(Value::Object(fields.collect::<Result<Map<_, _>>>()?))
}

/// A value of protobuf as JSON.
fn value(value: &prost_types::Value, depth: usize) -> Result<Value> {
    Ok(match &value.kind {
        Some(ValueKind::BoolValue(bool)) => Value::Bool(*bool),
        // Whole numbers are meant as such: schemas count with them.
        Some(ValueKind::NumberValue(n)) if n.fract() == 0.0 && n.abs() < 1e15 => json!(*n as i64),
        Some(ValueKind::NumberValue(n)) => json!(n),
        Some(ValueKind::StringValue(string)) => Value::String(text(string)),
        Some(ValueKind::StructValue(map)) => object(map, depth)?,
        Some(ValueKind::ListValue(list)) => {
            if depth > MAX_DEPTH {
                return Err(invalid("the schema of a tool is nested too deeply"));
            }
            let values = list.values.iter();
            let values = values.map(|v| self::value(v, depth + 1));
            Value::Array(values.collect::<Result<_>>()?)
        }
        Some(ValueKind::NullValue(_)) | None => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use rpc::proto::agent::{InstructionFileBody, McpConfigBody, McpServerBody};

    use super::*;

    fn file(source: &str, content: &[u8]) -> ContextResource {
        ContextResource {
            source: source.into(),
            status: Status::Ok.into(),
            body: Some(Body::InstructionFile(InstructionFileBody {
                content: content.to_vec(),
            })),
            ..ContextResource::default()
        }
    }

    fn push(resources: Vec<ContextResource>) -> PushContextStateRequest {
        PushContextStateRequest {
            version: 1,
            resources,
            ..PushContextStateRequest::default()
        }
    }

    #[test]
    fn what_is_told_is_kept_as_text() {
        let mut fields = std::collections::BTreeMap::new();
        let kind = Some(ValueKind::NumberValue(3.0));
        fields.insert("minimum".to_owned(), prost_types::Value { kind });
        let tool = McpTool {
            name: "t".into(),
            description: String::new(),
            input_schema: Some(prost_types::Struct { fields }),
        };
        let server = ContextResource {
            source: "/a".into(),
            status: Status::Ok.into(),
            body: Some(Body::McpServer(McpServerBody {
                server_name: "s".into(),
                tools: vec![tool],
                ..McpServerBody::default()
            })),
            ..ContextResource::default()
        };
        let told = checked(push(vec![file("/a", b"x\xff\0"), server])).unwrap();
        assert_eq!(told.resources[0].content, "x\u{fffd}\u{274c}");
        let schema = &told.resources[1].tools[0]["input_schema"];
        assert_eq!(schema, &json!({ "minimum": 3 }));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut no_status = file("/a", b"");
        no_status.status = 0;
        let mut strange = file("/a", b"");
        strange.status = 99;
        let mut nothing = file("/a", b"");
        nothing.body = None;
        let mut hash = file("/a", b"");
        hash.content_hash = vec![0; MAX_HASH + 1];
        let mut error = file("/a", b"");
        error.error = "x".repeat(MAX_ERROR + 1);
        let large = vec![b'x'; MAX_BODY + 1];
        let many = (0..=MAX_RESOURCES).map(|n| file(&n.to_string(), b""));
        let heavy = (0..20).map(|n| file(&n.to_string(), &large[..MAX_BODY]));
        let mut deep = prost_types::Value { kind: None };
        for _ in 0..1000 {
            let values = vec![deep];
            deep = prost_types::Value {
                kind: Some(ValueKind::ListValue(prost_types::ListValue { values })),
            };
        }
        let mut config = file("/a", b"");
        config.body = Some(Body::McpConfig(McpConfigBody {}));
        assert!(checked(push(vec![config.clone(), file("/a", b"")])).is_ok());
        assert!(value(&deep, 0).is_err());
        for bad in [
            push(vec![file("", b"")]),
            push(vec![file(&"x".repeat(MAX_SOURCE + 1), b"")]),
            push(vec![file("/a", b""), file("/a", b"x")]),
            push(vec![file("/a", &large)]),
            push(vec![no_status]),
            push(vec![strange]),
            push(vec![nothing]),
            push(vec![hash]),
            push(vec![error]),
            push(many.collect()),
            push(heavy.collect()),
            PushContextStateRequest {
                version: u64::MAX,
                ..push(Vec::new())
            },
            PushContextStateRequest {
                aggregate_hash: vec![0; MAX_HASH + 1],
                ..push(Vec::new())
            },
        ] {
            assert!(checked(bad).is_err());
        }
    }
}
