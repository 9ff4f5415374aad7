//! The record of one call: begun before the request, ended with what it used, also when the caller
//! went away in the middle.

use std::time::Instant;

use llm::{Error, Event, Usage};
use store::ai::{Ended, PricedUsage, Prices};
use uuid::Uuid;

use crate::{Gateway, cost_micros, notices};

/// Most tool calls that are recorded of one answer.
const MAX_TOOLS: usize = 256;
/// Longest arguments that are recorded, in characters.
const MAX_INPUT: usize = 64 << 10;
/// Kind of the end of a call whose caller went away.
const INTERRUPTED: &str = "interrupted";

/// A call under way. Dropped, it is recorded as interrupted.
pub(crate) struct Record {
    pub(crate) gateway: Gateway,
    pub(crate) facts: Facts,
    open: bool,
}

/// What is known of the call.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) id: Uuid,
    pub(crate) initiator: Uuid,
    pub(crate) provider_name: String,
    pub(crate) model: String,
    pub(crate) key: Option<(String, bool)>,
    pub(crate) group: Option<Uuid>,
    /// Of whose members it is, if what it costs counts against a budget.
    pub(crate) limited_in: Option<Uuid>,
    pub(crate) prices: Option<Prices>,
    pub(crate) purpose: &'static str,
    began: Instant,
    first_event: bool,
    usage: Option<Usage>,
    tools: Vec<(String, String, String)>,
    response_id: String,
}

impl Facts {
    pub(crate) fn new(id: Uuid, initiator: Uuid, provider_name: &str, model: &str) -> Self {
        Self {
            id,
            initiator,
            provider_name: provider_name.to_owned(),
            model: model.to_owned(),
            key: None,
            group: None,
            limited_in: None,
            prices: None,
            purpose: "",
            began: Instant::now(),
            first_event: false,
            usage: None,
            tools: Vec::new(),
            response_id: String::new(),
        }
    }
}

impl Record {
    pub(crate) fn new(gateway: Gateway, facts: Facts) -> Self {
        gateway
            .inner
            .metrics
            .begun(&facts.provider_name, &facts.model);
        Self {
            gateway,
            facts,
            open: true,
        }
    }

    /// Notes what an event tells.
    pub(crate) fn see(&mut self, event: &Event) {
        if !std::mem::replace(&mut self.facts.first_event, true) && self.facts.purpose == "turn" {
            let took = self.facts.began.elapsed();
            let metrics = &self.gateway.inner.metrics;
            metrics.first_event(&self.facts.provider_name, &self.facts.model, took);
        }
        match event {
            Event::Usage(usage) => self.facts.usage = Some(*usage),
            Event::ToolCallEnd(call) | Event::ProviderToolCall(call)
                if self.facts.tools.len() < MAX_TOOLS =>
            {
                let args = call.args.chars().take(MAX_INPUT).collect();
                self.facts
                    .tools
                    .push((call.id.clone(), call.name.clone(), args));
            }
            Event::Finish {
                provider_response_id,
                ..
            } => self.facts.response_id.clone_from(provider_response_id),
            _ => {}
        }
    }

    /// Notes what a whole answer tells.
    pub(crate) fn see_answer(&mut self, answer: &llm::Answer) {
        self.facts.usage = Some(answer.usage);
        self.facts
            .response_id
            .clone_from(&answer.provider_response_id);
    }

    /// Writes the end of the call.
    pub(crate) async fn end(&mut self, error: Option<&Error>) {
        if std::mem::take(&mut self.open) {
            let error = error.map(|e| (e.kind.as_str().to_owned(), e.message.clone()));
            write(self.gateway.clone(), self.facts.clone(), error).await;
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let error = (INTERRUPTED.to_owned(), "the caller went away".to_owned());
            runtime.spawn(write(self.gateway.clone(), self.facts.clone(), Some(error)));
        }
    }
}

/// A record that cannot be written is said in the log; the answer is not taken back for it.
async fn write(gateway: Gateway, facts: Facts, error: Option<(String, String)>) {
    let inner = &gateway.inner;
    let status = error
        .as_ref()
        .map_or("completed", |(kind, _)| kind.as_str());
    let (metrics, provider, model) = (&inner.metrics, &facts.provider_name, &facts.model);
    metrics.ended(provider, model, status, facts.began.elapsed());
    if error.is_none() {
        metrics.step(facts.purpose, provider, model);
    }
    for (_, tool, _) in &facts.tools {
        metrics.tool(provider, model, tool);
    }
    if facts.usage.is_some() && facts.prices.is_none() && metrics.unpriced(provider, model) {
        tracing::warn!(
            %provider, %model,
            "no price is known for this model: its calls count nothing against budgets. Set one: POST \
             /api/experimental/ai/model-prices"
        );
    }
    let used = facts.usage.map(|usage| {
        inner
            .metrics
            .tokens(&facts.provider_name, &facts.model, &usage);
        let number = |tokens: u64| i64::try_from(tokens).unwrap_or(i64::MAX);
        PricedUsage {
            tokens: [
                number(usage.input_tokens),
                number(usage.output_tokens),
                number(usage.cache_read_tokens),
                number(usage.cache_write_tokens),
            ],
            reasoning: number(usage.reasoning_tokens),
            prices: facts.prices,
            cost_micros: facts.prices.map(|prices| cost_micros(&prices, &usage)),
            group: facts.group,
        }
    });
    let ended = Ended {
        key: facts.key.as_ref().map(|(hint, own)| (hint.as_str(), *own)),
        error_type: error.as_ref().map(|(kind, _)| kind.as_str()),
        error_message: error.as_ref().map(|(_, message)| message.as_str()),
        tools: &facts.tools,
        response_id: &facts.response_id,
    };
    let written = async {
        let tx = inner.store.begin(&inner.who).await?;
        tx.interception_end(&inner.who, facts.id, facts.initiator, &ended, used.as_ref())
            .await?;
        let cost = used.as_ref().and_then(|used| used.cost_micros);
        let told = match (facts.limited_in, cost) {
            (Some(organization), Some(cost @ 1..)) => {
                let (user, group) = (facts.initiator, facts.group);
                match notices::tell(&tx, &inner.who, user, organization, group, cost).await {
                    // Who was to be told, or the group, went in mid-call: what it cost is kept.
                    Err(store::StoreError::NotFound) => Vec::new(),
                    told => told?,
                }
            }
            _ => Vec::new(),
        };
        tx.commit().await?;
        Ok::<_, store::StoreError>(told)
    };
    match written.await {
        // Nobody may be there to pass them on.
        Ok(told) => told.into_iter().for_each(|notice| {
            let _ = inner.notices.send(notice);
        }),
        Err(error) => {
            tracing::error!(%error, interception = %facts.id, "the end of a model call was not recorded");
        }
    }
}
