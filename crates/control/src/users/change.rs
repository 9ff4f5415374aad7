//! Changing and deleting users.

use api_types::{UpdateUserPasswordRequest, UpdateUserProfileRequest, User};
use authz::{Action, Subject, System, role_names};
use store::user_changes::SignIn;
use store::{AuditAction, AuditDiff, AuditEntry, Held, UserRef, UserRow};

use super::{TRACKED, create::taken, shown};
use crate::{Control, Error, Kind, Result, names, passwords};

/// Whoever may take the role of an owner away does so alone, so that one owner always remains.
const OWNERS: &str = "owners";

/// The user as it will be changed: nobody else changes it until the transaction ends.
pub(crate) async fn held(tx: &store::Tx, who: &Subject, which: &UserRef) -> Result<UserRow> {
    let id = tx.user_read(who, which).await?.id;
    tx.hold(Held::User, id).await?;
    Ok(tx.user_read(who, &UserRef::Id(id)).await?)
}

/// Like [`held`], for a change that may make an owner less.
pub(super) async fn held_among_owners(
    tx: &store::Tx,
    who: &Subject,
    which: &UserRef,
) -> Result<UserRow> {
    tx.lock(OWNERS).await?;
    held(tx, who, which).await
}

/// Refuses to take the last owner away, as two owners who each do so to the other would.
pub(super) async fn another_owner(tx: &store::Tx, who: &Subject, user: &UserRow) -> Result<()> {
    let owner = user.roles.iter().any(|role| role == role_names::OWNER);
    if owner && !tx.user_owner_beside(who, user.id).await? {
        return Err(Error::new(
            Kind::Conflict,
            format!(
                "{} is the only owner left. Make another user an owner first.",
                user.username
            ),
        ));
    }
    Ok(())
}

impl Control {
    /// Changes username, name and picture.
    pub async fn user_profile_set(
        &self,
        who: &Subject,
        which: &UserRef,
        request: UpdateUserProfileRequest,
    ) -> Result<User> {
        let tx = self.store().begin(who).await?;
        let old = held(&tx, who, which).await?;
        names::real(&request.name).map_err(|why| Error::field("name", why))?;
        if request.username != old.username {
            names::name(&request.username).map_err(|why| Error::field("username", why))?;
            // Names stand in links and scripts of others: not one's own to change.
            who.may(Action::Update, &old.object())
                .map_err(|_| Error::not_found())?;
        }
        let avatar = Some(request.avatar_url.as_str()).filter(|url| !url.is_empty());
        tx.user_profile_set(who, old.id, &request.username, &request.name, avatar)
            .await
            .map_err(taken)?;
        self.user_changed(tx, old).await
    }

    /// Activates or suspends.
    pub async fn user_status_set(
        &self,
        who: &Subject,
        which: &UserRef,
        status: &str,
    ) -> Result<User> {
        let tx = self.store().begin(who).await?;
        let old = held(&tx, who, which).await?;
        who.may(Action::Update, &old.object())?;
        if status == "suspended" {
            if who.user_id() == Some(old.id) {
                return Err(Error::invalid("You cannot suspend yourself."));
            }
            if old.roles.iter().any(|role| role == role_names::OWNER) {
                return Err(Error::invalid(
                    "A user with the role owner cannot be suspended. Remove the role first.",
                ));
            }
        }
        tx.user_status_set(who, old.id, status).await?;
        self.user_changed(tx, old).await
    }

    /// Sets a password; all keys of the user end.
    pub async fn user_password_set(
        &self,
        who: &Subject,
        which: &UserRef,
        request: UpdateUserPasswordRequest,
    ) -> Result<()> {
        let system = Subject::system(System::Core);
        let conn = self.store().conn().await?;
        let user = conn.user_read(who, which).await?;
        let own = who.user_id() == Some(user.id);
        who.may(Action::UpdatePersonal, &user.object())
            .or_else(|_| who.may(Action::Update, &user.object()))?;
        if user.roles.iter().any(|role| role == role_names::OWNER) && !who.is_owner() {
            return Err(Error::invalid(
                "Only owners may change the password of an owner.",
            ));
        }
        if user.login_type != "password" {
            return Err(Error::invalid(
                "Users without password authentication have no password to change.",
            ));
        }
        let stored = conn
            .sign_in_of(&system, user.id)
            .await?
            .ok_or_else(Error::not_found)?;
        drop(conn);
        passwords::check(&request.password)
            .map_err(|why| Error::invalid("Invalid password.").with_field("password", why))?;
        // Whoever may change any user need not know the old one.
        let admin = who.may(Action::Update, &user.object()).is_ok();
        if own && !admin || !request.old_password.is_empty() {
            let right = passwords::verify(&stored.hashed_password, &request.old_password).await?;
            if !right {
                return Err(Error::invalid("Old password is incorrect.")
                    .with_field("old_password", "Old password is incorrect."));
            }
        }
        self.password_replace(who, &user, &stored, &request.password)
            .await
    }

    /// Stores a checked password in place of `stored`'s; all keys of the user end.
    pub(super) async fn password_replace(
        &self,
        who: &Subject,
        user: &UserRow,
        stored: &SignIn,
        password: &str,
    ) -> Result<()> {
        let system = Subject::system(System::Core);
        if passwords::verify(&stored.hashed_password, password).await? {
            return Err(Error::invalid("New password cannot match old password."));
        }
        let hash = passwords::hash(password).await?;
        let tx = self.store().begin(who).await?;
        tx.user_password_set(who, user.id, &hash).await?;
        tx.api_keys_delete_of(&system, user.id, false).await?;
        let secret = |hash: &str| serde_json::json!({"hashed_password": hash});
        let diff = AuditDiff::between(
            &secret(&stored.hashed_password),
            &secret(&hash),
            &[],
            &["hashed_password"],
        );
        let entry = AuditEntry::new(AuditAction::Write, "user", user.id, &user.username);
        tx.audit(entry.diff(diff).status(204)).await?;
        tx.sessions_forget(Some(user.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(user.id));
        Ok(())
    }

    /// Deletes a user that owns no workspace.
    pub async fn user_delete(&self, who: &Subject, which: &UserRef) -> Result<()> {
        let tx = self.store().begin(who).await?;
        // A workspace that is just being made counts too.
        let user = held_among_owners(&tx, who, which).await?;
        who.may(Action::Delete, &user.object())?;
        if who.user_id() == Some(user.id) {
            return Err(Error::forbidden("You cannot delete yourself!"));
        }
        another_owner(&tx, who, &user).await?;
        if tx.user_workspace_count(who, user.id).await? > 0 {
            return Err(Error::new(
                Kind::ExpectationFailed,
                "You cannot delete a user that has workspaces. Delete their workspaces and try again!",
            ));
        }
        tx.user_delete(who, user.id).await?;
        let gone = serde_json::json!({"deleted": true});
        let diff = AuditDiff::between(
            &serde_json::json!({"deleted": false}),
            &gone,
            &["deleted"],
            &[],
        );
        tx.audit(AuditEntry::new(AuditAction::Delete, "user", user.id, &user.username).diff(diff))
            .await?;
        tx.sessions_forget(Some(user.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(user.id));
        Ok(())
    }

    /// Ends a change of a user: audit, word to other replicas, commit.
    pub(super) async fn user_changed(&self, tx: store::Tx, old: UserRow) -> Result<User> {
        let system = Subject::system(System::Core);
        let new = tx.user_read(&system, &UserRef::Id(old.id)).await?;
        let diff = AuditDiff::between(&old, &new, TRACKED, &[]);
        tx.audit(AuditEntry::new(AuditAction::Write, "user", old.id, &new.username).diff(diff))
            .await?;
        tx.sessions_forget(Some(old.id)).await?;
        tx.commit().await?;
        self.sessions_forget(Some(old.id));
        Ok(shown(&new))
    }
}
