//! Model providers and their central keys.

use std::collections::{BTreeSet, HashMap};

use api_types::{
    AiProvider, AiProviderKey, AiProviderKeyMutation, CreateAiProvider, UpdateAiProvider,
    ValidationError,
};
use authz::Subject;
use gateway::BedrockSettings;
use llm::ProviderType;
use serde_json::{Value, json};
use store::ai::{PROVIDER_NAME_TAKEN, ProviderFields, ProviderKeyRow, ProviderRow};
use store::seal::masked;
use store::{AuditAction, AuditDiff, AuditEntry, Held, Tx};
use url::Url;

use super::provider_settings as settings;
use crate::{Control, Error, Result};

const TRACKED: &[&str] = &[
    "type",
    "name",
    "display_name",
    "icon",
    "enabled",
    "base_url",
];
const SECRET: &[&str] = &["settings"];
/// Most keys of a provider.
const MAX_KEYS: usize = 32;
/// Longest key: those of clouds are tokens of some kilobytes.
pub(super) const MAX_KEY_BYTES: usize = 10_240;

impl Control {
    /// All providers, for administrators.
    pub async fn ai_provider_list(&self, who: &Subject) -> Result<Vec<AiProvider>> {
        let conn = self.store().conn().await?;
        let rows = conn.ai_provider_list(who).await?;
        let mut keys: HashMap<_, Vec<_>> = HashMap::new();
        for key in conn.ai_provider_keys(who, None).await? {
            keys.entry(key.provider_id).or_default().push(key);
        }
        rows.into_iter()
            .map(|row| {
                let keys = keys.remove(&row.id).unwrap_or_default();
                self.provider_shown(row, keys)
            })
            .collect()
    }

    /// One provider, by id or name.
    pub async fn ai_provider_read(&self, who: &Subject, id_or_name: &str) -> Result<AiProvider> {
        let conn = self.store().conn().await?;
        let row = conn.ai_provider_read(who, id_or_name).await?;
        let keys = conn.ai_provider_keys(who, Some(row.id)).await?;
        self.provider_shown(row, keys)
    }

    /// Adds a provider.
    pub async fn ai_provider_create(
        &self,
        who: &Subject,
        request: CreateAiProvider,
    ) -> Result<AiProvider> {
        let bedrock = settings::given(request.settings.expose())?
            .map(|given| settings::merged(None, given))
            .transpose()?;
        let faults = create_faults(&request, bedrock.as_ref());
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let tx = self.store().begin(who).await?;
        let fields = ProviderFields {
            display_name: &request.display_name,
            icon: &request.icon,
            enabled: request.enabled,
            base_url: &request.base_url,
            settings: self.sealed_settings(bedrock.as_ref())?,
        };
        let row = tx
            .ai_provider_create(who, &request.r#type, &request.name, &fields)
            .await
            .map_err(|error| {
                if error.is_conflict(PROVIDER_NAME_TAKEN) {
                    Error::conflict(format!("AI provider {:?} already exists.", request.name))
                } else {
                    error.into()
                }
            })?;
        let mut keys = Vec::with_capacity(request.api_keys.len());
        for key in &request.api_keys {
            keys.push(self.key_add(&tx, who, &row, key.expose()).await?);
        }
        let diff = AuditDiff::between(&(), &facts(&row), TRACKED, SECRET);
        let entry = AuditEntry::new(AuditAction::Create, "ai_provider", row.id, &row.name);
        tx.audit(entry.diff(diff)).await?;
        tx.commit().await?;
        self.provider_shown(row, keys)
    }

    /// Changes a provider.
    pub async fn ai_provider_update(
        &self,
        who: &Subject,
        id_or_name: &str,
        request: UpdateAiProvider,
    ) -> Result<AiProvider> {
        if request == UpdateAiProvider::default() {
            return Err(Error::invalid("At least one field must be provided."));
        }
        let tx = self.store().begin(who).await?;
        let found = tx.ai_provider_read(who, id_or_name).await?;
        tx.hold(Held::AiProvider, found.id).await?;
        let old = tx.ai_provider_read(who, &found.id.to_string()).await?;
        let mut bedrock = self.bedrock(&old)?;
        if let Some(given) = &request.settings
            && let Some(given) = settings::given(given.expose())?
        {
            let external = given["external_id"].as_str().unwrap_or_default();
            let own = bedrock.as_ref().map_or("", |b| b.external_id.as_str());
            if !external.is_empty() && external != own {
                return Err(Error::invalid(
                    "The Bedrock external ID is server-generated and cannot be changed.",
                ));
            }
            bedrock = Some(settings::merged(bedrock.as_ref(), given)?);
        }
        let faults = update_faults(&old, &request, bedrock.as_ref());
        if !faults.is_empty() {
            return Err(invalid(faults));
        }
        let fields = ProviderFields {
            display_name: request.display_name.as_deref().unwrap_or(&old.display_name),
            icon: request.icon.as_deref().unwrap_or(&old.icon),
            enabled: request.enabled.unwrap_or(old.enabled),
            base_url: request.base_url.as_deref().unwrap_or(&old.base_url),
            settings: self.sealed_settings(bedrock.as_ref())?,
        };
        let row = tx.ai_provider_update(who, old.id, &fields).await?;
        let additional = match &request.api_keys {
            Some(wanted) => self.keys_set(&tx, who, &row, wanted).await?,
            None => json!({}),
        };
        let keys = tx.ai_provider_keys(who, Some(row.id)).await?;
        let diff = AuditDiff::between(&facts(&old), &facts(&row), TRACKED, SECRET);
        let entry = AuditEntry::new(AuditAction::Write, "ai_provider", row.id, &row.name);
        tx.audit(entry.diff(diff).additional(additional)).await?;
        tx.commit().await?;
        self.provider_shown(row, keys)
    }

    /// Deletes a provider with its keys. Chats that use its models say so when they go on.
    pub async fn ai_provider_delete(&self, who: &Subject, id_or_name: &str) -> Result<()> {
        let tx = self.store().begin(who).await?;
        let row = tx.ai_provider_read(who, id_or_name).await?;
        tx.ai_provider_delete(who, row.id).await?;
        let diff = AuditDiff::between(&facts(&row), &(), TRACKED, SECRET);
        let entry = AuditEntry::new(AuditAction::Delete, "ai_provider", row.id, &row.name);
        tx.audit(entry.diff(diff).status(204)).await?;
        Ok(tx.commit().await?)
    }

    /// Makes the keys exactly those that are wanted; how many were added, removed and kept.
    async fn keys_set(
        &self,
        tx: &Tx,
        who: &Subject,
        row: &ProviderRow,
        wanted: &[AiProviderKeyMutation],
    ) -> Result<Value> {
        let have = tx.ai_provider_keys(who, Some(row.id)).await?;
        let keep: BTreeSet<_> = wanted.iter().filter_map(|key| key.id).collect();
        if let Some(unknown) = keep.iter().find(|id| have.iter().all(|k| k.id != **id)) {
            return Err(Error::invalid(format!(
                "The provider has no API key with the id {unknown}."
            )));
        }
        let mut removed = 0;
        for key in have.iter().filter(|key| !keep.contains(&key.id)) {
            tx.ai_provider_key_delete(who, key.id).await?;
            let entry = AuditEntry::new(AuditAction::Delete, "ai_provider_key", key.id, &row.name);
            let diff = AuditDiff::between(&json!({"api_key": "-"}), &(), &[], &["api_key"]);
            tx.audit(entry.diff(diff)).await?;
            removed += 1;
        }
        let mut added = 0;
        for key in wanted.iter().filter_map(|key| key.api_key.as_ref()) {
            self.key_add(tx, who, row, key.expose()).await?;
            added += 1;
        }
        Ok(
            json!({"api_keys_added": added, "api_keys_removed": removed, "api_keys_kept": keep.len()}),
        )
    }

    async fn key_add(
        &self,
        tx: &Tx,
        who: &Subject,
        row: &ProviderRow,
        key: &str,
    ) -> Result<ProviderKeyRow> {
        let sealed = self.settings().seal.seal(key)?;
        let added = tx.ai_provider_key_create(who, row.id, &sealed).await?;
        let entry = AuditEntry::new(AuditAction::Create, "ai_provider_key", added.id, &row.name);
        let diff = AuditDiff::between(&(), &json!({"api_key": "-"}), &[], &["api_key"]);
        tx.audit(entry.diff(diff)).await?;
        Ok(added)
    }

    fn sealed_settings(
        &self,
        bedrock: Option<&BedrockSettings>,
    ) -> Result<Option<(String, Option<String>)>> {
        bedrock
            .map(|bedrock| Ok(self.settings().seal.seal(&settings::stored(bedrock))?))
            .transpose()
    }

    fn bedrock(&self, row: &ProviderRow) -> Result<Option<BedrockSettings>> {
        let Some(sealed) = &row.settings else {
            return Ok(None);
        };
        let json = self
            .settings()
            .seal
            .open(sealed, row.settings_key_id.as_deref())?;
        Ok(BedrockSettings::parse(json.expose()))
    }

    fn provider_shown(&self, row: ProviderRow, keys: Vec<ProviderKeyRow>) -> Result<AiProvider> {
        let bedrock = self.bedrock(&row)?;
        let api_keys = keys.into_iter().map(|key| {
            let text = self
                .settings()
                .seal
                .open(&key.api_key, key.api_key_key_id.as_deref())?;
            Ok(AiProviderKey {
                id: key.id,
                masked: masked(text.expose()),
                created_at: key.created_at,
            })
        });
        Ok(AiProvider {
            api_keys: api_keys.collect::<Result<_>>()?,
            id: row.id,
            r#type: row.kind,
            name: row.name,
            display_name: row.display_name,
            icon: row.icon,
            enabled: row.enabled,
            base_url: row.base_url,
            settings: settings::shown(bedrock.as_ref()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

fn facts(row: &ProviderRow) -> Value {
    let mut facts = json!(row);
    facts["type"] = json!(row.kind);
    facts
}

fn invalid(faults: Vec<ValidationError>) -> Error {
    let mut error = Error::invalid("Invalid AI provider request.");
    error.validations = faults;
    error
}

fn fault(field: impl Into<String>, detail: impl Into<String>) -> ValidationError {
    ValidationError {
        field: field.into(),
        detail: detail.into(),
    }
}

fn create_faults(
    request: &CreateAiProvider,
    bedrock: Option<&BedrockSettings>,
) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    let kind = ProviderType::parse(&request.r#type);
    match (request.r#type.as_str(), kind) {
        ("", _) => faults.push(fault("type", "type is required")),
        (other, None) => faults.push(fault(
            "type",
            format!("unsupported provider type {other:?}"),
        )),
        _ => {}
    }
    if request.name.is_empty() {
        faults.push(fault("name", "name is required"));
    } else if !is_name(&request.name) {
        faults.push(fault(
            "name",
            "name must be lowercase alphanumeric, with single hyphens between words",
        ));
    }
    faults.extend(address_faults(&request.base_url));
    for (n, key) in request.api_keys.iter().enumerate() {
        faults.extend(key_fault(&format!("api_keys[{n}]"), key.expose()));
    }
    if request.api_keys.len() > MAX_KEYS {
        faults.push(fault("api_keys", format!("at most {MAX_KEYS} keys")));
    }
    faults.extend(kind_faults(kind, bedrock, !request.api_keys.is_empty()));
    faults
}

fn update_faults(
    old: &ProviderRow,
    request: &UpdateAiProvider,
    bedrock: Option<&BedrockSettings>,
) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    if let Some(url) = &request.base_url {
        faults.extend(address_faults(url));
    }
    let keys = request.api_keys.as_deref().unwrap_or_default();
    let mut seen = BTreeSet::new();
    for (n, key) in keys.iter().enumerate() {
        let field = format!("api_keys[{n}]");
        match (&key.id, &key.api_key) {
            (Some(id), None) => {
                if !seen.insert(*id) {
                    faults.push(fault(
                        format!("{field}.id"),
                        format!("id {id} is named twice"),
                    ));
                }
            }
            (None, Some(text)) => {
                faults.extend(key_fault(&format!("{field}.api_key"), text.expose()));
            }
            _ => faults.push(fault(field, "exactly one of id or api_key must be set")),
        }
    }
    if keys.len() > MAX_KEYS {
        faults.push(fault("api_keys", format!("at most {MAX_KEYS} keys")));
    }
    let kind = ProviderType::parse(&old.kind);
    faults.extend(kind_faults(kind, bedrock, !keys.is_empty()));
    faults
}

fn kind_faults(
    kind: Option<ProviderType>,
    bedrock: Option<&BedrockSettings>,
    has_keys: bool,
) -> Vec<ValidationError> {
    let mut faults = Vec::new();
    match bedrock {
        Some(settings) => {
            if !matches!(kind, Some(ProviderType::Anthropic | ProviderType::Bedrock)) {
                faults.push(fault(
                    "settings",
                    "bedrock settings are only valid for type=anthropic or type=bedrock",
                ));
            }
            if has_keys {
                faults.push(fault(
                    "api_keys",
                    "Bedrock providers do not accept api_keys; configure access credentials via settings",
                ));
            }
            faults.extend(settings::faults(settings));
        }
        None if kind == Some(ProviderType::Bedrock) => {
            faults.push(fault("settings", "type=bedrock requires bedrock settings"));
        }
        None => {}
    }
    if kind == Some(ProviderType::Copilot) && has_keys {
        faults.push(fault("api_keys", "type=copilot does not accept api_keys"));
    }
    faults
}

fn is_name(name: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    name.split('-').all(word)
}

fn address_faults(text: &str) -> Option<ValidationError> {
    if text.is_empty() {
        return Some(fault("base_url", "base_url is required"));
    }
    let Some(url) = Url::parse(text).ok().filter(Url::has_host) else {
        return Some(fault(
            "base_url",
            "base_url must be an absolute URL (e.g. https://api.example.com/)",
        ));
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some(fault(
            "base_url",
            format!(
                "base_url scheme must be http or https, got {:?}",
                url.scheme()
            ),
        ));
    }
    if !llm::is_allowed(&url) {
        return Some(fault(
            "base_url",
            "base_url must not point to a link-local or metadata address",
        ));
    }
    None
}

/// What is wrong with a key.
pub(super) fn key_fault(field: &str, key: &str) -> Option<ValidationError> {
    if key.is_empty() {
        return Some(fault(field, "must not be empty"));
    }
    if key.trim() != key {
        return Some(fault(
            field,
            "must not contain leading or trailing whitespace",
        ));
    }
    (key.len() > MAX_KEY_BYTES).then(|| fault(field, format!("at most {MAX_KEY_BYTES} bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses() {
        for good in ["openai", "my-llm-2"] {
            assert!(is_name(good));
        }
        for bad in ["", "-a", "a-", "a--b", "A", "a_b"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(address_faults("http://127.0.0.1:11434/v1").is_none());
        for bad in [
            "",
            "x",
            "ftp://a/",
            "file:///etc",
            "http://169.254.169.254/",
        ] {
            assert!(address_faults(bad).is_some(), "{bad}");
        }
    }
}
