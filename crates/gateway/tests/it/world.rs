//! What these tests share: a gateway, an organization with a model, people.

use api_types::Secret;
use futures::StreamExt;
use gateway::{Gateway, ModelCall, ModelInfo, Options};
use llm::{Error, Event, Http, Message, Request, Role};
use serde_json::json;
use store::ai::{ModelFields, ProviderFields, ProviderRow};
use store::seal::Seal;
use testkit::model::ModelServer;
use testkit::{TestDb, TestUser};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub struct World {
    pub db: TestDb,
    pub gateway: Gateway,
    pub seal: Seal,
    pub model_server: ModelServer,
    pub owner: TestUser,
    pub member: TestUser,
    pub organization: Uuid,
    pub provider: ProviderRow,
    pub model: ModelInfo,
}

impl World {
    /// With these central keys of a provider.
    pub async fn new(keys: &[&str]) -> Self {
        Self::with(keys, "openai", Options::default()).await
    }

    pub async fn with(keys: &[&str], kind: &str, options: Options) -> Self {
        let db = testkit::db().await;
        let owner = testkit::user(&db, "owner", &["owner"]).await;
        let member = testkit::user(&db, "member", &[]).await;
        let organization = testkit::default_organization(&db).await;
        let seal = Seal::new(&[Secret::new(vec![7; 32])]).unwrap();
        db.store
            .conn()
            .await
            .unwrap()
            .seal_register(&seal)
            .await
            .unwrap();
        let model_server = ModelServer::start().await;
        let tx = db.store.begin(&owner.who).await.unwrap();
        let provider = tx
            .ai_provider_create(
                &owner.who,
                kind,
                "main",
                &ProviderFields {
                    display_name: "",
                    icon: "",
                    enabled: true,
                    base_url: &model_server.v1(),
                    settings: None,
                },
            )
            .await
            .unwrap();
        for key in keys {
            let sealed = seal.seal(key).unwrap();
            tx.ai_provider_key_create(&owner.who, provider.id, &sealed)
                .await
                .unwrap();
        }
        let row = tx
            .chat_model_create(
                &owner.who,
                organization,
                &ModelFields {
                    ai_provider_id: provider.id,
                    model: "gpt-4.1",
                    display_name: "",
                    enabled: true,
                    is_default: false,
                    context_limit: 100_000,
                    compression_threshold: 70,
                    options: &json!({}),
                },
            )
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let http = Http::new("coder-agents/test").unwrap();
        let gateway = Gateway::new(db.store.clone(), seal.clone(), http, options);
        let model = gateway
            .model(&member.who, organization, row.id)
            .await
            .unwrap();
        Self {
            db,
            gateway,
            seal,
            model_server,
            owner,
            member,
            organization,
            provider,
            model,
        }
    }

    pub fn call(&self) -> ModelCall {
        ModelCall {
            owner: self.member.who.clone(),
            chat: Uuid::new_v4(),
            parent: None,
            organization: self.organization,
            workspace: None,
            model: self.model.clone(),
            purpose: "turn",
        }
    }

    pub async fn ask(&self) -> (Vec<Event>, Option<Error>) {
        self.ask_as(self.call()).await
    }

    pub async fn ask_as(&self, call: ModelCall) -> (Vec<Event>, Option<Error>) {
        let mut stream = self
            .gateway
            .stream(call, question(), CancellationToken::new());
        let mut events = Vec::new();
        while let Some(event) = stream.next().await {
            match event {
                Ok(event) => events.push(event),
                Err(error) => return (events, Some(error)),
            }
        }
        (events, None)
    }

    /// The keys that the provider was shown, in order.
    pub fn shown_keys(&self) -> Vec<String> {
        self.model_server
            .asked()
            .iter()
            .map(|asked| {
                let header = asked.header("authorization").unwrap_or_default();
                header.trim_start_matches("Bearer ").to_owned()
            })
            .collect()
    }

    /// One value of one row.
    pub async fn one<T>(&self, sql: &str) -> T
    where
        T: for<'a> postgres_types::FromSql<'a>,
    {
        self.db.store.query_one(sql, &[]).await.unwrap().get(0)
    }
}

pub fn question() -> Request {
    Request {
        messages: vec![Message::text(Role::User, "hi")],
        ..Request::default()
    }
}
