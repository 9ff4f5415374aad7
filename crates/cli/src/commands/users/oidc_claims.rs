//! `coder users oidc-claims`.

use anyhow::{Context, Result};
use clap::Args as ClapArgs;
use serde_json::Value;

use crate::session::Session;
use crate::ui::output::{Column, Format, Listing, Table};

/// Show what your identity provider says of you.
#[derive(ClapArgs)]
pub struct Args {
    #[command(flatten)]
    listing: Listing<Claims>,
}

struct Claims;
impl Table for Claims {
    type Row = (String, Value);
    const COLUMNS: &'static [Column<Self::Row>] = &[
        Column::new("key", |c| c.0.clone()),
        Column::new("value", |c| match &c.1 {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }),
    ];
    const DEFAULT: &'static [&'static str] = &["key", "value"];
}

/// Shows them.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    let claims = session
        .client()?
        .user_oidc_claims()
        .await
        .context("ask for your claims")?;
    if claims.is_empty() && args.listing.format() != Format::Json {
        session.note("No claims found: you do not sign in by OIDC.");
        return Ok(());
    }
    let rows: Vec<(String, Value)> = claims.clone().into_iter().collect();
    args.listing
        .print(&rows, &serde_json::json!({ "claims": claims }))
}
