//! Who may use an app.

use authz::{Action, Object, ResourceType, Subject};
use store::workspace_apps::AppPlace;

use super::AccessMethod;
use crate::Settings;

/// How widely an app or a port is shared; later ones include earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Openness {
    /// Those who may connect to the workspace.
    Owner,
    /// Members of the workspace's organization too.
    Organization,
    /// Everyone who is signed in.
    Authenticated,
    /// Everyone.
    Public,
}

impl Openness {
    /// From its name; what is not known is the narrowest.
    pub(super) fn from_name(name: &str) -> Self {
        match name {
            "organization" => Openness::Organization,
            "authenticated" => Openness::Authenticated,
            "public" => Openness::Public,
            _ => Openness::Owner,
        }
    }
}

/// The decision, with what would help an admin to understand a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    SignIn,
    No(&'static str),
}

/// Whether `viewer` has a right of its own on the workspace, whatever is shared.
pub(super) fn has_right(viewer: &Subject, place: &AppPlace, method: AccessMethod) -> bool {
    let action = match method {
        AccessMethod::Terminal => Action::Ssh,
        AccessMethod::Path | AccessMethod::Subdomain => Action::ApplicationConnect,
    };
    viewer.may(action, &place.workspace).is_ok()
}

/// Whether `viewer` may use an app of `place` that is shared as widely as `openness`.
pub(super) fn decide(
    viewer: Option<&Subject>,
    place: &AppPlace,
    method: AccessMethod,
    openness: Openness,
    settings: &Settings,
) -> Verdict {
    let path = method == AccessMethod::Path;
    let mut hint = "";
    let mut openness = openness;
    if path && !settings.allow_path_app_sharing && openness != Openness::Owner {
        // All path apps have one origin, that of the dashboard: whoever opens another's app there
        // lets it act in their name.
        openness = Openness::Owner;
        hint = "This app is shared, but apps under a path are for the workspace's owner only \
                (--dangerous-allow-path-app-sharing).";
    }
    let Some(viewer) = viewer else {
        return if openness == Openness::Public {
            Verdict::Yes
        } else {
            Verdict::SignIn
        };
    };
    let own = viewer.user_id() == Some(place.owner_id);
    if path && openness == Openness::Owner && !own && !settings.allow_path_app_site_owner_access {
        if viewer.is_owner() && hint.is_empty() {
            hint = "Apps under a path are for the workspace's owner only \
                    (--dangerous-allow-path-app-site-owner-access).";
        }
        return Verdict::No(hint);
    }
    if has_right(viewer, place, method) {
        return Verdict::Yes;
    }
    // A key of narrow scope must not reach further by what others share.
    let on_own = || {
        let owner = viewer.user_id()?;
        let object = Object::new(ResourceType::Workspace).owner(owner).any_org();
        viewer.may(Action::ApplicationConnect, &object).ok()
    };
    let allowed = match openness {
        Openness::Owner => false,
        Openness::Organization => {
            on_own().is_some()
                && viewer
                    .organization_ids()
                    .any(|id| id == place.organization_id)
        }
        Openness::Authenticated => on_own().is_some(),
        Openness::Public => true,
    };
    if allowed {
        Verdict::Yes
    } else {
        Verdict::No(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_in_order_and_unknown_ones_are_narrow() {
        let of = Openness::from_name;
        assert!(of("owner") < of("organization"));
        assert!(of("organization") < of("authenticated"));
        assert!(of("authenticated") < of("public"));
        assert_eq!(of("everyone!"), Openness::Owner);
    }
}
