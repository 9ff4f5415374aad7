//! People: first user, sign-in, listing, status and roles.

use api_types::{
    AuthMethods, CreateFirstUserRequest, CreateFirstUserResponse, CreateUserRequestWithOrgs,
    GetUsersResponse, GitSshKey, LoginWithPasswordRequest, LoginWithPasswordResponse, Organization,
    UpdateRoles, User, UserRoles,
};

use crate::call::segment;
use crate::{Client, Error};

/// Which people to list.
#[derive(Debug, Clone, Default)]
pub struct UserQuery {
    /// Search expression of the API.
    pub q: String,
    /// At most so many; 0 is all.
    pub limit: u32,
    /// Skips so many.
    pub offset: u32,
}

impl Client {
    /// Whether the deployment has its first user. An answer of 404 without the
    /// version header is an error: that is not a Coder server.
    pub async fn has_first_user(&self) -> Result<bool, Error> {
        match self.get("/api/v2/users/first").done().await {
            Ok(()) => Ok(true),
            Err(e) if e.is_not_found() && self.server_version().is_some() => Ok(false),
            Err(Error::Api(mut e)) if e.status == http::StatusCode::NOT_FOUND => {
                e.message = format!("{} is not a Coder deployment", self.url());
                e.suggestion =
                    Some("Check the address; it is the one that the dashboard has.".to_owned());
                Err(Error::Api(e))
            }
            Err(e) => Err(e),
        }
    }

    /// Creates the first user, who owns the deployment.
    pub async fn first_user_create(
        &self,
        body: &CreateFirstUserRequest,
    ) -> Result<CreateFirstUserResponse, Error> {
        self.post("/api/v2/users/first").json(body).decode().await
    }

    /// Signs in with e-mail and password.
    pub async fn login(
        &self,
        body: &LoginWithPasswordRequest,
    ) -> Result<LoginWithPasswordResponse, Error> {
        self.post("/api/v2/users/login").json(body).decode().await
    }

    /// Ends the session of the current token.
    pub async fn logout(&self) -> Result<(), Error> {
        self.post("/api/v2/users/logout").done().await
    }

    /// Ways to sign in.
    pub async fn auth_methods(&self) -> Result<AuthMethods, Error> {
        self.get("/api/v2/users/authmethods").decode().await
    }

    /// One person, by `me`, id, name or e-mail.
    pub async fn user(&self, user: &str) -> Result<User, Error> {
        self.get(&format!("/api/v2/users/{}", segment(user)))
            .decode()
            .await
    }

    /// People that match.
    pub async fn users(&self, query: &UserQuery) -> Result<GetUsersResponse, Error> {
        self.get("/api/v2/users")
            .query_if("q", Some(&query.q).filter(|q| !q.is_empty()))
            .query_if("limit", Some(query.limit).filter(|l| *l > 0))
            .query_if("offset", Some(query.offset).filter(|o| *o > 0))
            .decode()
            .await
    }

    /// Creates a person.
    pub async fn user_create(&self, body: &CreateUserRequestWithOrgs) -> Result<User, Error> {
        self.post("/api/v2/users").json(body).decode().await
    }

    /// Deletes a person.
    pub async fn user_delete(&self, user: &str) -> Result<(), Error> {
        self.delete(&format!("/api/v2/users/{}", segment(user)))
            .done()
            .await
    }

    /// Lets a suspended or dormant person in again.
    pub async fn user_activate(&self, user: &str) -> Result<User, Error> {
        self.put(&format!("/api/v2/users/{}/status/activate", segment(user)))
            .decode()
            .await
    }

    /// Locks a person out.
    pub async fn user_suspend(&self, user: &str) -> Result<User, Error> {
        self.put(&format!("/api/v2/users/{}/status/suspend", segment(user)))
            .decode()
            .await
    }

    /// The roles of a person, by organization too.
    pub async fn user_roles(&self, user: &str) -> Result<UserRoles, Error> {
        self.get(&format!("/api/v2/users/{}/roles", segment(user)))
            .decode()
            .await
    }

    /// Replaces the site-wide roles of a person.
    pub async fn user_roles_update(&self, user: &str, roles: Vec<String>) -> Result<User, Error> {
        self.put(&format!("/api/v2/users/{}/roles", segment(user)))
            .json(&UpdateRoles { roles })
            .decode()
            .await
    }

    /// Site-wide roles that exist.
    pub async fn site_roles(&self) -> Result<Vec<api_types::AssignableRoles>, Error> {
        self.get("/api/v2/users/roles").decode().await
    }

    /// Organizations that a person belongs to.
    pub async fn user_organizations(&self, user: &str) -> Result<Vec<Organization>, Error> {
        self.get(&format!("/api/v2/users/{}/organizations", segment(user)))
            .decode()
            .await
    }

    /// The key that a person's workspaces use with Git.
    pub async fn git_ssh_key(&self, user: &str) -> Result<GitSshKey, Error> {
        self.get(&format!("/api/v2/users/{}/gitsshkey", segment(user)))
            .decode()
            .await
    }

    /// Makes a new Git key; the old one is gone.
    pub async fn git_ssh_key_regenerate(&self, user: &str) -> Result<GitSshKey, Error> {
        self.put(&format!("/api/v2/users/{}/gitsshkey", segment(user)))
            .decode()
            .await
    }

    /// What the identity provider said of oneself at the last sign-in.
    pub async fn user_oidc_claims(
        &self,
    ) -> Result<serde_json::Map<String, serde_json::Value>, Error> {
        #[derive(serde::Deserialize)]
        struct Claims {
            #[serde(default)]
            claims: Option<serde_json::Map<String, serde_json::Value>>,
        }
        let answer: Claims = self.get("/api/v2/users/oidc-claims").decode().await?;
        Ok(answer.claims.unwrap_or_default())
    }
}
