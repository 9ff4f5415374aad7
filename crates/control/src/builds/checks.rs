//! What stands in the way of a build, in the order in which it is told. Pure.

use api_types::{
    CreateWorkspaceBuildRequest, ProvisionerJobStatus as Status, WorkspaceTransition as Transition,
};

use crate::{Error, Kind, Result};

/// What is known when a build is asked for, and what its asker may do.
#[derive(Debug, Clone)]
pub(crate) struct Situation<'a> {
    /// What is asked for.
    pub transition: &'a Transition,
    /// The workspace is deleted.
    pub deleted: bool,
    /// What is there is to be left alone.
    pub orphan: bool,
    /// The caller brings a state.
    pub has_state: bool,
    /// `debug` or empty.
    pub log_level: &'a str,
    /// The asker may do this to the workspace; a dormant one must be woken first.
    pub may_build: bool,
    /// The asker may edit the template.
    pub may_edit_template: bool,
    /// The asker may read the deployment's configuration.
    pub may_read_config: bool,
    /// The deployment allows debug logs of builds.
    pub debug_mode: bool,
    /// The version; `None` if there is none that may be seen.
    pub version: Option<Version<'a>>,
    /// How the latest build's job stands; `None` before the first.
    pub last_job: Option<&'a Status>,
}

/// What is known of the version to build.
#[derive(Debug, Clone)]
pub(crate) struct Version<'a> {
    /// Its name.
    pub name: &'a str,
    /// It belongs to the workspace's template.
    pub of_template: bool,
    /// How its import stands.
    pub import: &'a Status,
    /// Why its import failed.
    pub import_error: &'a str,
    /// Starts must use the active version, and this is another.
    pub not_active_but_required: bool,
    /// It is archived.
    pub archived: bool,
}

/// Refuses the first thing that is wrong.
pub(crate) fn check(s: &Situation<'_>) -> Result<()> {
    if !matches!(
        s.transition,
        Transition::Start | Transition::Stop | Transition::Delete
    ) {
        return Err(Error::field(
            "transition",
            "Validation failed for tag \"oneof\": write start, stop or delete.",
        ));
    }
    if s.deleted && *s.transition != Transition::Delete {
        return Err(Error::conflict(format!(
            "Cannot {} a deleted workspace!",
            s.transition
        )));
    }
    if s.orphan && *s.transition != Transition::Delete {
        return Err(Error::invalid(
            "Orphan is only permitted when deleting a workspace.",
        ));
    }
    if s.orphan && s.has_state {
        return Err(Error::invalid(
            "ProvisionerState cannot be set alongside Orphan since state intent is unclear.",
        ));
    }
    if !s.may_build {
        return Err(Error::forbidden(format!(
            "You do not have permission to {} this workspace.",
            s.transition
        )));
    }
    if (s.has_state || s.orphan) && !s.may_edit_template {
        return Err(Error::forbidden(
            "Only template managers may provide custom state",
        ));
    }
    if !s.log_level.is_empty() {
        if s.log_level != "debug" {
            return Err(Error::field(
                "log_level",
                "The log level may only be \"debug\".",
            ));
        }
        if !s.may_read_config {
            return Err(Error::invalid(
                "Workspace builds with a custom log level are restricted to administrators only.",
            ));
        }
        if !s.debug_mode {
            return Err(Error::invalid(
                "Terraform debug mode is disabled in the deployment configuration.",
            ));
        }
    }
    check_version(s.version.as_ref())?;
    if s.last_job
        .is_some_and(|job| matches!(job, Status::Pending | Status::Running | Status::Canceling))
    {
        return Err(Error::conflict("A workspace build is already active."));
    }
    let required = s
        .version
        .as_ref()
        .is_some_and(|v| v.not_active_but_required);
    if required && *s.transition == Transition::Start && !s.may_edit_template {
        return Err(Error::forbidden(
            "The template requires its active version: update the workspace, then start it.",
        ));
    }
    Ok(())
}

fn check_version(version: Option<&Version<'_>>) -> Result<()> {
    let Some(version) = version else {
        return Err(Error::invalid("template version does not exist"));
    };
    if !version.of_template {
        return Err(Error::invalid("template version doesn't match template"));
    }
    if version.archived {
        return Err(Error::invalid(
            "Archived template versions cannot be used to make a workspace.",
        ));
    }
    match version.import {
        Status::Pending | Status::Running | Status::Canceling => Err(Error::new(
            Kind::NotAcceptable,
            format!(
                "The provided template version is {}. Wait for it to complete importing!",
                version.import
            ),
        )),
        Status::Succeeded => Ok(()),
        _ => Err(Error::invalid(format!(
            "The provided template version {:?} has failed to import: {:?}. You cannot build \
             workspaces with it!",
            version.name, version.import_error
        ))),
    }
}

/// Refuses follow-ups other than the start after a stop.
pub(crate) fn check_on_success(request: &CreateWorkspaceBuildRequest) -> Result<()> {
    let Some(next) = &request.on_success else {
        return Ok(());
    };
    let refusal = if request.transition != Transition::Stop {
        "OnSuccess is only permitted when stopping a workspace."
    } else if next.transition != Transition::Start {
        "OnSuccess transition must be start."
    } else if request.dry_run {
        "OnSuccess cannot be set alongside DryRun."
    } else if request.orphan {
        "OnSuccess cannot be set alongside Orphan."
    } else if !request.state.is_empty() {
        "OnSuccess cannot be set alongside ProvisionerState."
    } else if next.template_version_preset_id.is_some() && next.template_version_id.is_none() {
        "OnSuccess TemplateVersionPresetID requires TemplateVersionID."
    } else {
        return Ok(());
    };
    Err(Error::invalid(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> Version<'static> {
        Version {
            name: "v1",
            of_template: true,
            import: &Status::Succeeded,
            import_error: "",
            not_active_but_required: false,
            archived: false,
        }
    }

    fn fine() -> Situation<'static> {
        Situation {
            transition: &Transition::Start,
            deleted: false,
            orphan: false,
            has_state: false,
            log_level: "",
            may_build: true,
            may_edit_template: false,
            may_read_config: false,
            debug_mode: false,
            version: Some(version()),
            last_job: Some(&Status::Succeeded),
        }
    }

    fn status(s: &Situation<'_>) -> u16 {
        check(s).err().map_or(201, |e| e.status())
    }

    #[test]
    fn one_thing_wrong_at_a_time() {
        let s = fine();
        assert_eq!(status(&s), 201);
        assert_eq!(
            status(&Situation {
                transition: &Transition::Unset,
                ..s.clone()
            }),
            400
        );
        assert_eq!(
            status(&Situation {
                deleted: true,
                ..s.clone()
            }),
            409
        );
        let delete = Situation {
            deleted: true,
            transition: &Transition::Delete,
            ..s.clone()
        };
        assert_eq!(status(&delete), 201);
        assert_eq!(
            status(&Situation {
                orphan: true,
                ..s.clone()
            }),
            400
        );
        assert_eq!(
            status(&Situation {
                may_build: false,
                ..s.clone()
            }),
            403
        );
        assert_eq!(
            status(&Situation {
                has_state: true,
                ..s.clone()
            }),
            403
        );
        assert_eq!(
            status(&Situation {
                log_level: "debug",
                ..s.clone()
            }),
            400
        );
        let debug = Situation {
            log_level: "debug",
            may_read_config: true,
            ..s.clone()
        };
        assert_eq!(status(&debug), 400);
        assert_eq!(
            status(&Situation {
                debug_mode: true,
                ..debug.clone()
            }),
            201
        );
        assert_eq!(
            status(&Situation {
                debug_mode: true,
                may_read_config: false,
                ..debug
            }),
            400
        );
        assert_eq!(
            status(&Situation {
                version: None,
                ..s.clone()
            }),
            400
        );
        for job in [Status::Pending, Status::Running, Status::Canceling] {
            assert_eq!(
                status(&Situation {
                    last_job: Some(&job),
                    ..s.clone()
                }),
                409
            );
            let v = Version {
                import: &job,
                ..version()
            };
            assert_eq!(
                status(&Situation {
                    version: Some(v),
                    ..s.clone()
                }),
                406
            );
        }
        for job in [Status::Failed, Status::Canceled] {
            assert_eq!(
                status(&Situation {
                    last_job: Some(&job),
                    ..s.clone()
                }),
                201
            );
            let v = Version {
                import: &job,
                ..version()
            };
            assert_eq!(
                status(&Situation {
                    version: Some(v),
                    ..s.clone()
                }),
                400
            );
        }
    }

    #[test]
    fn the_first_of_two_wrongs_is_told() {
        let both = Situation {
            deleted: true,
            may_build: false,
            ..fine()
        };
        assert_eq!(status(&both), 409);
        let both = Situation {
            may_build: false,
            version: None,
            ..fine()
        };
        assert_eq!(status(&both), 403);
        let both = Situation {
            version: None,
            last_job: Some(&Status::Running),
            ..fine()
        };
        assert_eq!(status(&both), 400);
    }

    #[test]
    fn the_active_version_can_be_required() {
        let old = Version {
            not_active_but_required: true,
            ..version()
        };
        let s = Situation {
            version: Some(old),
            ..fine()
        };
        assert_eq!(status(&s), 403);
        assert_eq!(
            status(&Situation {
                may_edit_template: true,
                ..s.clone()
            }),
            201
        );
        assert_eq!(
            status(&Situation {
                transition: &Transition::Stop,
                ..s
            }),
            201
        );
    }

    #[test]
    fn only_a_start_may_follow_a_stop() {
        let next = |transition: Transition| {
            Some(api_types::CreateWorkspaceBuildOnSuccessRequest {
                transition,
                ..Default::default()
            })
        };
        let r = |transition: Transition, on_success| CreateWorkspaceBuildRequest {
            transition,
            on_success,
            ..Default::default()
        };
        assert!(check_on_success(&r(Transition::Stop, next(Transition::Start))).is_ok());
        assert!(check_on_success(&r(Transition::Start, next(Transition::Start))).is_err());
        assert!(check_on_success(&r(Transition::Stop, next(Transition::Delete))).is_err());
        assert!(check_on_success(&r(Transition::Start, None)).is_ok());
    }
}
