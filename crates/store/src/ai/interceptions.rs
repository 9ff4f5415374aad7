//! Records of model calls. Only the gateway writes them.

use authz::{Action, Object, ResourceType, Subject};
use serde_json::Value;
use uuid::Uuid;

use super::Prices;
use crate::conn::Conn;
use crate::{Result, Time, Tx};

/// Longest message of an error that is kept, in characters.
const MAX_ERROR: usize = 1024;

/// A call that begins.
#[derive(Debug)]
pub struct Interception<'a> {
    /// The id.
    pub id: Uuid,
    /// In whose name.
    pub initiator: Uuid,
    /// Its organization.
    pub organization: Option<Uuid>,
    /// Type of the provider.
    pub provider: &'a str,
    /// Name of the provider.
    pub provider_name: &'a str,
    /// The model.
    pub model: &'a str,
    /// What calls: `Coder Agents` for chats.
    pub client: &'a str,
    /// What ties calls together: the chat.
    pub session: Option<String>,
    /// Facts of the caller.
    pub metadata: Value,
    /// Whether the key is the user's own.
    pub own_key: bool,
    /// The key, masked.
    pub key_hint: &'a str,
    /// When it began.
    pub started_at: Time,
}

/// A call that ended.
#[derive(Debug, Default)]
pub struct Ended<'a> {
    /// The key that served, masked, and whether it is the user's own.
    pub key: Option<(&'a str, bool)>,
    /// Kind of the failure, if it failed.
    pub error_type: Option<&'a str>,
    /// Message of the failure.
    pub error_message: Option<&'a str>,
    /// Tools that the model chose: id of the call, name, arguments.
    pub tools: &'a [(String, String, String)],
    /// The provider's id of the answer.
    pub response_id: &'a str,
}

/// Tokens of a call with what they cost.
#[derive(Debug)]
pub struct PricedUsage {
    /// Read, written, read from the cache, written to the cache.
    pub tokens: [i64; 4],
    /// Of those written, reasoning.
    pub reasoning: i64,
    /// The prices that counted.
    pub prices: Option<Prices>,
    /// What it cost; none without a price.
    pub cost_micros: Option<i64>,
    /// For which group it is counted.
    pub group: Option<Uuid>,
}

fn object() -> Object {
    Object::new(ResourceType::AibridgeInterception)
}

impl Conn {
    /// Records that a call begins.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn interception_begin(&self, who: &Subject, call: &Interception<'_>) -> Result<()> {
        who.may(Action::Create, &object())?;
        let sql = "INSERT INTO aibridge_interceptions (id, initiator_id, organization_id, \
                   provider, provider_name, model, client, client_session_id, metadata, \
                   credential_kind, credential_hint, started_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        self.execute(
            sql,
            &[
                &call.id,
                &call.initiator,
                &call.organization,
                &call.provider,
                &call.provider_name,
                &call.model,
                &call.client,
                &call.session,
                &call.metadata,
                &kind(call.own_key),
                &call.key_hint,
                &call.started_at,
            ],
        )
        .await?;
        Ok(())
    }

    /// Deletes calls that began before a time, with all that was recorded of them; so many at most.
    /// How many went.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn interception_purge(&self, who: &Subject, before: Time, most: i64) -> Result<u64> {
        who.may(Action::Delete, &Object::new(ResourceType::System))?;
        let sql = "DELETE FROM aibridge_interceptions WHERE id IN (SELECT id FROM \
                   aibridge_interceptions WHERE started_at < $1 LIMIT $2)";
        self.execute(sql, &[&before, &most]).await
    }
}

impl Tx {
    /// Records that a call ended, what it used, and whom that is charged to.
    ///
    /// # Errors
    /// [`crate::StoreError::Forbidden`].
    pub async fn interception_end(
        &self,
        who: &Subject,
        id: Uuid,
        initiator: Uuid,
        ended: &Ended<'_>,
        used: Option<&PricedUsage>,
    ) -> Result<()> {
        who.may(Action::Update, &object())?;
        let message: Option<String> = ended.error_message.map(|text| {
            text.chars()
                .filter(|c| *c != '\0')
                .take(MAX_ERROR)
                .collect()
        });
        let (hint, own) = ended.key.unzip();
        let sql = "UPDATE aibridge_interceptions SET ended_at = now(), error_type = $2, \
                   error_message = $3, credential_hint = COALESCE($4, credential_hint), \
                   credential_kind = COALESCE($5, credential_kind) WHERE id = $1";
        self.execute(
            sql,
            &[&id, &ended.error_type, &message, &hint, &own.map(kind)],
        )
        .await?;
        for (call, name, input) in ended.tools {
            let sql = "INSERT INTO aibridge_tool_usages (id, interception_id, \
                       provider_response_id, provider_tool_call_id, tool, input) \
                       VALUES ($1, $2, $3, $4, $5, $6)";
            let input = input.replace('\0', "");
            let row = Uuid::new_v4();
            self.execute(sql, &[&row, &id, &ended.response_id, call, name, &input])
                .await?;
        }
        if let Some(used) = used {
            self.usage(id, initiator, ended.response_id, used).await?;
        }
        // What was spent is known now: with the same commit nothing is reserved any more.
        let sql = "DELETE FROM ai_budget_reservations WHERE interception_id = $1";
        self.execute(sql, &[&id]).await?;
        Ok(())
    }

    async fn usage(
        &self,
        id: Uuid,
        initiator: Uuid,
        response: &str,
        used: &PricedUsage,
    ) -> Result<()> {
        let prices = used.prices.unwrap_or_default();
        let [input, output, read, write] = used.tokens;
        let metadata = serde_json::json!({"output_reasoning": used.reasoning});
        let sql = "INSERT INTO aibridge_token_usages (id, interception_id, provider_response_id, \
                   input_tokens, output_tokens, cache_read_input_tokens, \
                   cache_write_input_tokens, metadata, effective_group_id, input_price_micros, \
                   output_price_micros, cache_read_price_micros, cache_write_price_micros, \
                   cost_micros) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        self.execute(
            sql,
            &[
                &Uuid::new_v4(),
                &id,
                &response,
                &input,
                &output,
                &read,
                &write,
                &metadata,
                &used.group,
                &prices.input,
                &prices.output,
                &prices.cache_read,
                &prices.cache_write,
                &used.cost_micros,
            ],
        )
        .await?;
        if let (Some(group), Some(cost @ 1..)) = (used.group, used.cost_micros) {
            let sql = "INSERT INTO ai_user_daily_spend (user_id, effective_group_id, day, \
                       spend_micros) VALUES ($1, $2, (now() AT TIME ZONE 'UTC')::date, $3) \
                       ON CONFLICT (user_id, effective_group_id, day) DO UPDATE SET \
                       spend_micros = ai_user_daily_spend.spend_micros + excluded.spend_micros";
            self.execute(sql, &[&initiator, &group, &cost]).await?;
        }
        Ok(())
    }
}

fn kind(own: bool) -> &'static str {
    if own { "byok" } else { "centralized" }
}
