//! `coder open app`.

use anyhow::{Context, Result};
use api_types::{Region, Workspace, WorkspaceAgent, WorkspaceApp};
use clap::Args as ClapArgs;
use url::Url;

use crate::commands::lookup;
use crate::connect::ready::{Patience, make_run};
use crate::failure::Advice;
use crate::say;
use crate::session::Session;
use crate::ui::browser;
use client::Target;

/// Stands for the person's session token in addresses of external apps.
const TOKEN_PLACEHOLDER: &str = "$SESSION_TOKEN";

/// Open an app of a workspace in the browser.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The workspace.
    workspace: String,

    /// Slug of the app; lists what there is when left out.
    #[arg(value_name = "app")]
    slug: Option<String>,

    /// Region through which to open it.
    #[arg(
        long,
        env = "CODER_OPEN_APP_REGION",
        value_name = "region",
        default_value = "primary"
    )]
    region: String,

    /// Print the address instead of opening it.
    #[arg(long = "test.open-error", hide = true)]
    no_browser: bool,
}

/// Opens the app, or prints its address where there is no browser.
pub async fn run(args: Args, session: &Session) -> Result<()> {
    // Programs read the address there.
    session.keep_stdout_clean();
    let client = session.client()?;
    let target = Target::agent(&args.workspace)?;
    let workspace = lookup::of_target(client, &target).await?;
    let patience = Patience::stay();
    let workspace = make_run(session, workspace, patience.autostart).await?;
    let agent = lookup::agent(&workspace, target.agent.as_deref())?;
    let mut slugs: Vec<&str> = agent.apps.iter().map(|a| a.slug.as_str()).collect();
    slugs.sort_unstable();
    let Some(slug) = args.slug.as_deref() else {
        return match slugs[..] {
            [] => {
                session.note(&format!("Workspace {:?} has no apps.", workspace.name));
                Ok(())
            }
            _ => say!("{}", slugs.join("\n")),
        };
    };
    let Some(app) = agent.apps.iter().find(|a| a.slug == slug) else {
        return Err(Advice::error(
            format!("workspace {:?} has no app {slug:?}", workspace.name),
            format!("Its apps: {}.", slugs.join(", ")),
        ));
    };
    let regions = client.regions().await.context("ask for the regions")?;
    let Some(region) = regions.iter().find(|r| r.name == args.region) else {
        let names: Vec<&str> = regions.iter().map(|r| r.name.as_str()).collect();
        return Err(Advice::error(
            format!("there is no region {:?}", args.region),
            format!("Choose one with --region: {}.", names.join(", ")),
        ));
    };
    let mut address = address(region, &workspace, agent, app)?;
    // Apps that a program inside the workspace declared are no place for tokens.
    if app.external && agent.parent_id.is_none() {
        address = address.replace(TOKEN_PLACEHOLDER, client.token().expose());
    } else if address.contains(TOKEN_PLACEHOLDER) {
        session.note(&session.style_err.warn(&format!(
            "This app was declared by a program inside the workspace. If you trust it, put your \
             session token in place of {TOKEN_PLACEHOLDER} and open the address yourself:"
        )));
        return say!("{address}");
    }
    if super::inside_a_workspace() {
        session.note("Open this address on your own machine:\n");
        return say!("{address}");
    }
    if !session.globals.no_open && !args.no_browser && browser::open_and_wait(&address) {
        session.note(&format!("Opening {:?} in your browser.", app.slug));
        return Ok(());
    }
    session.note("There is no browser to open here; open this address yourself:\n");
    say!("{address}")
}

/// Where the app is reached.
fn address(
    region: &Region,
    workspace: &Workspace,
    agent: &WorkspaceAgent,
    app: &WorkspaceApp,
) -> Result<String> {
    if app.external {
        return Ok(app.url.clone());
    }
    let mut url = Url::parse(&region.path_app_url)
        .with_context(|| format!("the address of region {:?}", region.name))?;
    if app.subdomain && !app.subdomain_name.is_empty() && !region.wildcard_hostname.is_empty() {
        let host = region
            .wildcard_hostname
            .replacen('*', &app.subdomain_name, 1);
        return Ok(format!("{}://{host}/", url.scheme()));
    }
    let base = url.path().trim_end_matches('/').to_owned();
    let place = format!(
        "{base}/@{}/{}.{}",
        workspace.owner_name, workspace.name, agent.name
    );
    if app.command.is_empty() {
        // Without the slash at its end it would be a redirect to this.
        url.set_path(&format!("{place}/apps/{}/", app.slug));
    } else {
        url.set_path(&format!("{place}/terminal"));
        url.query_pairs_mut().append_pair("app", &app.slug);
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_depend_on_the_kind_of_app() {
        let region = Region {
            path_app_url: "https://coder.test/sub".into(),
            wildcard_hostname: "*.apps.test:8443".into(),
            ..Region::default()
        };
        let workspace = Workspace {
            owner_name: "ann".into(),
            name: "dev".into(),
            ..Workspace::default()
        };
        let agent = WorkspaceAgent {
            name: "main".into(),
            ..WorkspaceAgent::default()
        };
        let mut app = WorkspaceApp {
            slug: "code".into(),
            ..WorkspaceApp::default()
        };
        let of = |app: &WorkspaceApp| address(&region, &workspace, &agent, app).unwrap();
        assert_eq!(of(&app), "https://coder.test/sub/@ann/dev.main/apps/code/");
        app.command = "htop".into();
        assert_eq!(
            of(&app),
            "https://coder.test/sub/@ann/dev.main/terminal?app=code"
        );
        app.subdomain = true;
        app.subdomain_name = "code--dev--ann".into();
        assert_eq!(of(&app), "https://code--dev--ann.apps.test:8443/");
        app.external = true;
        app.url = "https://elsewhere/$SESSION_TOKEN".into();
        assert_eq!(of(&app), app.url);
    }
}
