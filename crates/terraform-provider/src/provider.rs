//! The provider as a service of the plugin protocol: translates messages to operations, and decides nothing.

use std::sync::{PoisonError, RwLock};

use tonic::{Request, Response, Status};

use crate::context::{Context, default_url};
use crate::diagnostics::{Diagnostic, path_message};
use crate::environment::Environment;
use crate::proto::tfplugin5 as tf;
use crate::resources::Resource;
use crate::schema::{Block, schema_message};
use crate::value::{Object, Value, ValueError, decode, encode, from_state_json};
use crate::{data_sources, engine, operations, resources};

/// The provider.
#[derive(Debug)]
pub struct Provider {
    environment: Environment,
    /// The `url` of the provider's configuration, once it is configured.
    url: RwLock<Option<String>>,
}

type Reply<T> = Result<Response<T>, Status>;

impl Provider {
    /// A provider of builds that this environment describes.
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            url: RwLock::new(None),
        }
    }

    fn context(&self) -> Result<Context, Diagnostic> {
        let url = self
            .url
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Context::new(self.environment.clone(), url.as_deref()).map_err(Diagnostic::error)
    }
}

/// Reads an object of a message; null stays null.
fn object(value: Option<&tf::DynamicValue>, block: &Block) -> Result<Option<Object>, Diagnostic> {
    let Some(value) = value else { return Ok(None) };
    let value = if value.msgpack.is_empty() && !value.json.is_empty() {
        from_state_json(&value.json, block).map_err(|error| malformed(&error))?
    } else {
        decode(&value.msgpack).map_err(|error| malformed(&error))?
    };
    match value {
        Value::Null => Ok(None),
        value => engine::conform(value, block)
            .map(Some)
            .map_err(|error| malformed(&error)),
    }
}

fn malformed(error: &ValueError) -> Diagnostic {
    Diagnostic::error("The provider was sent a value that it cannot read").detail(format!(
        "{error}. The state may have been written by a newer version of the provider."
    ))
}

fn message(state: Object) -> tf::DynamicValue {
    tf::DynamicValue {
        msgpack: encode(&Value::Map(state)),
        json: Vec::new(),
    }
}

fn null() -> tf::DynamicValue {
    tf::DynamicValue {
        msgpack: encode(&Value::Null),
        json: Vec::new(),
    }
}

fn messages(diagnostics: Vec<Diagnostic>) -> Vec<tf::Diagnostic> {
    diagnostics.into_iter().map(tf::Diagnostic::from).collect()
}

fn unsupported(kind: &str, name: &str) -> Diagnostic {
    Diagnostic::error(format!("The coder provider has no {kind} {name:?}"))
}

fn resource(name: &str) -> Result<&'static Resource, Diagnostic> {
    resources::find(name).ok_or_else(|| unsupported("resource type", name))
}

/// What is stored beside a state: the version of its schema.
fn private(resource: &Resource) -> Vec<u8> {
    match resource.version {
        0 => b"null".to_vec(),
        version => format!(r#"{{"schema_version":"{version}"}}"#).into_bytes(),
    }
}

#[tonic::async_trait]
impl tf::provider_server::Provider for Provider {
    async fn get_schema(
        &self,
        _: Request<tf::get_provider_schema::Request>,
    ) -> Reply<tf::get_provider_schema::Response> {
        Ok(Response::new(tf::get_provider_schema::Response {
            provider: Some(schema_message(0, &operations::PROVIDER)),
            resource_schemas: resources::ALL
                .iter()
                .map(|resource| {
                    (
                        resource.name.to_owned(),
                        schema_message(resource.version, resource.block),
                    )
                })
                .collect(),
            data_source_schemas: data_sources::ALL
                .iter()
                .map(|source| {
                    (
                        source.name.to_owned(),
                        schema_message(source.version, source.block),
                    )
                })
                .collect(),
            diagnostics: Vec::new(),
            provider_meta: None,
            server_capabilities: Some(tf::ServerCapabilities {
                plan_destroy: false,
                get_provider_schema_optional: true,
                move_resource_state: false,
            }),
        }))
    }

    async fn prepare_provider_config(
        &self,
        request: Request<tf::prepare_provider_config::Request>,
    ) -> Reply<tf::prepare_provider_config::Response> {
        let config = request.into_inner().config;
        let reply = match object(config.as_ref(), &operations::PROVIDER) {
            Err(error) => tf::prepare_provider_config::Response {
                prepared_config: None,
                diagnostics: messages(vec![error]),
            },
            Ok(config) => {
                let mut config = config.unwrap_or_default();
                if config.get("url").is_none_or(Value::is_null) {
                    config.insert(
                        "url".to_owned(),
                        Value::String(default_url(&self.environment)),
                    );
                }
                let diagnostics = engine::validate(&config, &operations::PROVIDER);
                tf::prepare_provider_config::Response {
                    prepared_config: Some(message(config)),
                    diagnostics: messages(diagnostics),
                }
            }
        };
        Ok(Response::new(reply))
    }

    async fn validate_resource_type_config(
        &self,
        request: Request<tf::validate_resource_type_config::Request>,
    ) -> Reply<tf::validate_resource_type_config::Response> {
        let request = request.into_inner();
        let check = || -> Result<_, Diagnostic> {
            let block = resource(&request.type_name)?.block;
            let config = object(request.config.as_ref(), block)?.unwrap_or_default();
            Ok(engine::validate(&config, block))
        };
        let diagnostics = messages(check().unwrap_or_else(|error| vec![error]));
        Ok(Response::new(tf::validate_resource_type_config::Response {
            diagnostics,
        }))
    }

    async fn validate_data_source_config(
        &self,
        request: Request<tf::validate_data_source_config::Request>,
    ) -> Reply<tf::validate_data_source_config::Response> {
        let request = request.into_inner();
        let check = || -> Result<_, Diagnostic> {
            let source = data_sources::find(&request.type_name)
                .ok_or_else(|| unsupported("data source", &request.type_name))?;
            let config = object(request.config.as_ref(), source.block)?.unwrap_or_default();
            Ok(engine::validate(&config, source.block))
        };
        let diagnostics = messages(check().unwrap_or_else(|error| vec![error]));
        Ok(Response::new(tf::validate_data_source_config::Response {
            diagnostics,
        }))
    }

    async fn upgrade_resource_state(
        &self,
        request: Request<tf::upgrade_resource_state::Request>,
    ) -> Reply<tf::upgrade_resource_state::Response> {
        let request = request.into_inner();
        let upgrade = || -> Result<_, Diagnostic> {
            let block = resource(&request.type_name)?.block;
            let raw = request.raw_state.as_ref().map_or(&[][..], |raw| &raw.json);
            if raw.is_empty() {
                return Err(Diagnostic::error("The state is of a form from before Terraform 0.12").detail(
                    "Apply it once with an older version of Terraform, or remove the resource from the state.",
                ));
            }
            match from_state_json(raw, block).map_err(|error| malformed(&error))? {
                Value::Map(state) => Ok(message(state)),
                _ => Ok(null()),
            }
        };
        let reply = match upgrade() {
            Ok(state) => tf::upgrade_resource_state::Response {
                upgraded_state: Some(state),
                diagnostics: Vec::new(),
            },
            Err(error) => tf::upgrade_resource_state::Response {
                upgraded_state: None,
                diagnostics: messages(vec![error]),
            },
        };
        Ok(Response::new(reply))
    }

    async fn configure(
        &self,
        request: Request<tf::configure::Request>,
    ) -> Reply<tf::configure::Response> {
        let config = request.into_inner().config;
        let configure = || -> Result<(), Diagnostic> {
            let config = object(config.as_ref(), &operations::PROVIDER)?.unwrap_or_default();
            // A URL that is only known after applying is replaced by the deployment's own, which it mostly is.
            let url = config.get("url").and_then(Value::as_str).map(str::to_owned);
            Context::new(self.environment.clone(), url.as_deref()).map_err(Diagnostic::error)?;
            *self.url.write().unwrap_or_else(PoisonError::into_inner) = url;
            Ok(())
        };
        let diagnostics = messages(configure().err().into_iter().collect());
        Ok(Response::new(tf::configure::Response { diagnostics }))
    }

    async fn read_resource(
        &self,
        request: Request<tf::read_resource::Request>,
    ) -> Reply<tf::read_resource::Response> {
        let request = request.into_inner();
        let read = || -> Result<_, Diagnostic> {
            let resource = resource(&request.type_name)?;
            let Some(mut state) = object(request.current_state.as_ref(), resource.block)? else {
                return Ok(null());
            };
            if let Some(refresh) = resource.refresh {
                refresh(&mut state, &self.context()?);
            }
            Ok(message(state))
        };
        let (new_state, diagnostics) = match read() {
            Ok(state) => (Some(state), Vec::new()),
            Err(error) => (None, messages(vec![error])),
        };
        Ok(Response::new(tf::read_resource::Response {
            new_state,
            diagnostics,
            private: request.private,
        }))
    }

    async fn plan_resource_change(
        &self,
        request: Request<tf::plan_resource_change::Request>,
    ) -> Reply<tf::plan_resource_change::Response> {
        let request = request.into_inner();
        let mut reply = tf::plan_resource_change::Response {
            planned_private: request.prior_private,
            legacy_type_system: true,
            ..Default::default()
        };
        let plan = || -> Result<_, Diagnostic> {
            let resource = resource(&request.type_name)?;
            let prior = object(request.prior_state.as_ref(), resource.block)?;
            let proposed = object(request.proposed_new_state.as_ref(), resource.block)?;
            let config = object(request.config.as_ref(), resource.block)?;
            // Without a proposed state the resource is to be destroyed.
            if proposed.is_none() {
                return Ok((resource, None));
            }
            let config = config.unwrap_or_default();
            Ok((
                resource,
                Some(operations::plan_resource(resource, prior.as_ref(), &config)),
            ))
        };
        match plan() {
            Err(error) => reply.diagnostics = messages(vec![error]),
            Ok((_, None)) => reply.planned_state = Some(null()),
            Ok((resource, Some(outcome))) => {
                reply.planned_state = Some(message(outcome.state));
                reply.requires_replace = outcome
                    .requires_replace
                    .into_iter()
                    .map(path_message)
                    .collect();
                reply.diagnostics = messages(outcome.diagnostics);
                if reply.planned_private.is_empty() {
                    reply.planned_private = private(resource);
                }
            }
        }
        Ok(Response::new(reply))
    }

    async fn apply_resource_change(
        &self,
        request: Request<tf::apply_resource_change::Request>,
    ) -> Reply<tf::apply_resource_change::Response> {
        let request = request.into_inner();
        let mut reply = tf::apply_resource_change::Response {
            legacy_type_system: true,
            ..Default::default()
        };
        let apply = || -> Result<_, Vec<Diagnostic>> {
            let resource = resource(&request.type_name).map_err(|error| vec![error])?;
            let read = |value: Option<&tf::DynamicValue>| {
                object(value, resource.block).map_err(|error| vec![error])
            };
            let prior = read(request.prior_state.as_ref())?;
            let Some(planned) = read(request.planned_state.as_ref())? else {
                return Ok(None);
            };
            let (state, diagnostics) = if prior.is_some() {
                // Nothing changes in place; a plan without replacement only confirms what there is.
                let mut state = planned;
                engine::settle_resource(&mut state, resource.block);
                (state, Vec::new())
            } else {
                let context = self.context().map_err(|error| vec![error])?;
                operations::create_resource(resource, planned, &context)?
            };
            Ok(Some((resource, state, diagnostics)))
        };
        match apply() {
            // After an error the host keeps what it had: a resource that was not created, or not deleted.
            Err(diagnostics) => {
                reply.new_state = Some(request.prior_state.clone().unwrap_or_else(null));
                reply.diagnostics = messages(diagnostics);
            }
            Ok(None) => reply.new_state = Some(null()),
            Ok(Some((resource, state, diagnostics))) => {
                reply.new_state = Some(message(state));
                reply.private = private(resource);
                reply.diagnostics = messages(diagnostics);
            }
        }
        Ok(Response::new(reply))
    }

    async fn import_resource_state(
        &self,
        request: Request<tf::import_resource_state::Request>,
    ) -> Reply<tf::import_resource_state::Response> {
        let name = request.into_inner().type_name;
        let error = Diagnostic::error(format!("resource {name} doesn't support import"))
            .detail("It exists in the state alone, so there is nothing to import. Let the template create it.");
        Ok(Response::new(tf::import_resource_state::Response {
            imported_resources: Vec::new(),
            diagnostics: messages(vec![error]),
        }))
    }

    async fn read_data_source(
        &self,
        request: Request<tf::read_data_source::Request>,
    ) -> Reply<tf::read_data_source::Response> {
        let request = request.into_inner();
        let read = || -> Result<_, Vec<Diagnostic>> {
            let source = data_sources::find(&request.type_name)
                .ok_or_else(|| vec![unsupported("data source", &request.type_name)])?;
            let config =
                object(request.config.as_ref(), source.block).map_err(|error| vec![error])?;
            let context = self.context().map_err(|error| vec![error])?;
            operations::read_data_source(source, &config.unwrap_or_default(), &context)
        };
        let (state, diagnostics) = match read() {
            Ok(state) => (Some(message(state)), Vec::new()),
            Err(diagnostics) => (None, messages(diagnostics)),
        };
        Ok(Response::new(tf::read_data_source::Response {
            state,
            diagnostics,
        }))
    }

    async fn stop(&self, _: Request<tf::stop::Request>) -> Reply<tf::stop::Response> {
        // No operation takes long enough to be stopped.
        Ok(Response::new(tf::stop::Response {
            error: String::new(),
        }))
    }
}

#[cfg(test)]
mod tests;
