//! GitHub, asked about the branches of chats: without an account, so only of public repositories is
//! anything known. `docs.github.com/rest`.

use std::time::Duration;

use control::{GitBranch, GitHostError, GitHosts};
use futures::future::BoxFuture;
use reqwest::{Client, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use store::chats::DiffFacts;
use url::Url;
use uuid::Uuid;

type Result<T> = std::result::Result<T, GitHostError>;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Moves of a repository that are followed.
const MAX_MOVES: usize = 3;
/// Largest answer that is read, in bytes: a hundred reviews with long texts.
const MAX_JSON: usize = 8 << 20;
/// Largest diff that is shown, in bytes; browsers show no larger ones.
const MAX_DIFF: usize = 4 << 20;
/// Longest pause that a host may ask for, in seconds: GitHub counts by the hour.
const MAX_PAUSE: u32 = 3600;
/// Pause where it asks for one and does not say how long.
const PAUSE: u32 = 60;
const JSON: &str = "application/vnd.github+json";
const DIFF: &str = "application/vnd.github.diff";

/// One GitHub.
pub(super) struct GitHub {
    api: Url,
    /// The host of its repositories.
    host: String,
    http: Client,
}

/// A repository.
#[derive(Debug, PartialEq, Eq)]
struct Repository {
    owner: String,
    name: String,
}

#[derive(Deserialize)]
struct Listed {
    number: i32,
}

#[derive(Deserialize)]
struct PullRequest {
    number: i32,
    html_url: String,
    state: String,
    title: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    additions: i32,
    #[serde(default)]
    deletions: i32,
    #[serde(default)]
    changed_files: i32,
    #[serde(default)]
    commits: i32,
    user: Option<Person>,
    head: Branch,
    base: Option<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    #[serde(rename = "ref")]
    name: String,
}

#[derive(Deserialize)]
struct Review {
    state: String,
    user: Option<Person>,
}

#[derive(Deserialize)]
struct Person {
    id: i64,
    #[serde(default)]
    login: String,
    #[serde(default)]
    avatar_url: String,
}

#[derive(Deserialize)]
struct DefaultBranch {
    default_branch: String,
}

impl GitHub {
    /// The GitHub behind this API: `https://api.github.com`, or `https://HOST/api/v3` of an
    /// enterprise.
    ///
    /// # Errors
    /// When connections cannot be set up.
    pub(super) fn new(mut api: Url, tls: rustls::ClientConfig) -> Result<Self> {
        if !api.path().ends_with('/') {
            api.set_path(&format!("{}/", api.path()));
        }
        let host = api.host_str().unwrap_or_default();
        let http = Client::builder()
            .tls_backend_preconfigured(tls)
            .user_agent(concat!("coder/", env!("CARGO_PKG_VERSION")))
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::limited(MAX_MOVES))
            .build()
            .map_err(|error| broken(&error))?;
        Ok(GitHub {
            host: host.strip_prefix("api.").unwrap_or(host).to_owned(),
            api,
            http,
        })
    }

    /// The repository that an address of git means, if it is here.
    fn repository(&self, origin: &str) -> Option<Repository> {
        let (host, path) = match Url::parse(origin) {
            Ok(url) if matches!(url.scheme(), "https" | "http" | "ssh" | "git") => {
                (url.host_str()?.to_owned(), url.path().to_owned())
            }
            // git@host:owner/name
            _ => {
                let (host, path) = origin.split_once(':')?;
                let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                (host.to_owned(), path.to_owned())
            }
        };
        if !host.eq_ignore_ascii_case(&self.host) {
            return None;
        }
        let path = path.trim_matches('/');
        let (owner, name) = path.strip_suffix(".git").unwrap_or(path).split_once('/')?;
        let odd = |c: char| !c.is_ascii_alphanumeric() && !"._-".contains(c);
        let fine =
            |text: &str| !text.is_empty() && !text.contains(odd) && text.chars().any(|c| c != '.');
        (fine(owner) && fine(name)).then(|| Repository {
            owner: owner.to_owned(),
            name: name.to_owned(),
        })
    }

    fn known(&self, branch: &GitBranch) -> Result<Repository> {
        self.repository(&branch.origin).ok_or_else(|| {
            let text = format!("{} is no repository at {}", branch.origin, self.host);
            GitHostError::Failed(text)
        })
    }

    /// An address below a repository; `segments` may hold anything.
    fn at(&self, repository: &Repository, segments: &[&str]) -> Url {
        let mut url = self.api.clone();
        // An http or https address always has segments.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            path.extend(["repos", &repository.owner, &repository.name]);
            path.extend(segments);
        }
        url
    }

    /// An answer; none where there is nothing, or nothing for the public.
    async fn get(&self, url: Url, accept: &str) -> Result<Option<Response>> {
        let request = self.http.get(url).header(header::ACCEPT, accept);
        let answer = request.send().await.map_err(|e| broken(&e))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Some(answer));
        }
        match status {
            StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNPROCESSABLE_ENTITY => Ok(None),
            StatusCode::UNAUTHORIZED => Err(GitHostError::NoToken),
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                Err(pause(&answer).map_or_else(|| failed(status), GitHostError::Busy))
            }
            _ => Err(failed(status)),
        }
    }

    async fn json<T: DeserializeOwned>(&self, url: Url) -> Result<Option<T>> {
        let Some(answer) = self.get(url, JSON).await? else {
            return Ok(None);
        };
        let body = body(answer, MAX_JSON).await?;
        let value = serde_json::from_slice(&body);
        value.map(Some).map_err(|error| {
            GitHostError::Failed(format!("the repository's host said nonsense: {error}"))
        })
    }

    async fn find(&self, branch: &GitBranch) -> Result<Option<DiffFacts>> {
        let repository = self.known(branch)?;
        let mut url = self.at(&repository, &["pulls"]);
        url.query_pairs_mut()
            .append_pair("head", &format!("{}:{}", repository.owner, branch.name))
            .append_pair("state", "all")
            .append_pair("sort", "updated")
            .append_pair("direction", "desc")
            .append_pair("per_page", "1");
        let found: Option<Vec<Listed>> = self.json(url).await?;
        let Some(newest) = found.unwrap_or_default().pop() else {
            return Ok(None);
        };
        let number = newest.number.to_string();
        let url = self.at(&repository, &["pulls", &number]);
        let Some(pull): Option<PullRequest> = self.json(url).await? else {
            return Ok(None);
        };
        let mut url = self.at(&repository, &["pulls", &number, "reviews"]);
        url.query_pairs_mut().append_pair("per_page", "100");
        let reviews: Vec<Review> = self.json(url).await?.unwrap_or_default();
        let author = pull.user.map(|user| (user.login, user.avatar_url));
        let (author_login, author_avatar_url) = author.unwrap_or_default();
        let verdict = Verdict::of(&reviews);
        Ok(Some(DiffFacts {
            changes_requested: verdict.changes_requested,
            approved: verdict.approved,
            reviewer_count: verdict.reviewers,
            author_login,
            author_avatar_url,
            base_branch: pull.base.map_or_else(String::new, |branch| branch.name),
            commits: pull.commits,
            state: if pull.merged {
                "merged".to_owned()
            } else {
                pull.state
            },
            url: pull.html_url,
            title: pull.title,
            draft: pull.draft,
            number: pull.number,
            additions: pull.additions,
            deletions: pull.deletions,
            changed_files: pull.changed_files,
            head_branch: pull.head.name,
        }))
    }

    async fn compare(&self, branch: &GitBranch, pull: Option<i32>) -> Result<String> {
        let repository = self.known(branch)?;
        let url = match pull {
            Some(number) => self.at(&repository, &["pulls", &number.to_string()]),
            None => {
                let found: Option<DefaultBranch> = self.json(self.at(&repository, &[])).await?;
                let Some(DefaultBranch { default_branch }) = found else {
                    return Ok(String::new());
                };
                if default_branch == branch.name {
                    return Ok(String::new());
                }
                let range = format!("{default_branch}...{}", branch.name);
                self.at(&repository, &["compare", &range])
            }
        };
        match self.get(url, DIFF).await? {
            Some(answer) => {
                let bytes = body(answer, MAX_DIFF).await?;
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            }
            None => Ok(String::new()),
        }
    }
}

impl GitHosts for GitHub {
    fn kind(&self, origin: &str) -> Option<String> {
        self.repository(origin).map(|_| "github".to_owned())
    }

    fn pull_request<'a>(
        &'a self,
        _owner: Uuid,
        branch: &'a GitBranch,
    ) -> BoxFuture<'a, Result<Option<DiffFacts>>> {
        Box::pin(self.find(branch))
    }

    fn diff<'a>(
        &'a self,
        _owner: Uuid,
        branch: &'a GitBranch,
        pull_request: Option<i32>,
    ) -> BoxFuture<'a, Result<String>> {
        Box::pin(self.compare(branch, pull_request))
    }
}

/// How the reviews of a pull request stand.
struct Verdict {
    /// Somebody wants changes.
    changes_requested: bool,
    /// Somebody approves, and nobody wants changes.
    approved: bool,
    /// How many people decided.
    reviewers: i32,
}

impl Verdict {
    /// What counts is what each reviewer decided last; remarks decide nothing.
    fn of(reviews: &[Review]) -> Self {
        let mut last = std::collections::HashMap::new();
        for review in reviews {
            let decides =
                ["APPROVED", "CHANGES_REQUESTED", "DISMISSED"].contains(&review.state.as_str());
            if let Some(user) = review.user.as_ref().filter(|_| decides) {
                last.insert(user.id, review.state.as_str());
            }
        }
        let any = |wanted: &str| last.values().any(|state| *state == wanted);
        let changes_requested = any("CHANGES_REQUESTED");
        Verdict {
            changes_requested,
            approved: any("APPROVED") && !changes_requested,
            reviewers: i32::try_from(last.len()).unwrap_or(i32::MAX),
        }
    }
}

/// How long the host wants to be left alone, if that is what a refusal says.
fn pause(answer: &Response) -> Option<u32> {
    let number = |name: &str| -> Option<i64> {
        let value = answer.headers().get(name)?;
        value.to_str().ok()?.trim().parse().ok()
    };
    let bounded =
        |seconds: i64| u32::try_from(seconds.max(1)).map_or(MAX_PAUSE, |s| s.min(MAX_PAUSE));
    if let Some(seconds) = number("retry-after") {
        return Some(bounded(seconds));
    }
    let spent = number("x-ratelimit-remaining") == Some(0);
    if spent && let Some(reset) = number("x-ratelimit-reset") {
        return Some(bounded(reset - chrono::Utc::now().timestamp()));
    }
    (spent || answer.status() == StatusCode::TOO_MANY_REQUESTS).then_some(PAUSE)
}

async fn body(mut answer: Response, most: usize) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|e| broken(&e))? {
        if all.len() + part.len() > most {
            let text = format!("the repository's host answers more than {} MiB", most >> 20);
            return Err(GitHostError::Failed(text));
        }
        all.extend_from_slice(&part);
    }
    Ok(all)
}

fn broken(error: &reqwest::Error) -> GitHostError {
    GitHostError::Failed(format!("the repository's host cannot be asked: {error}"))
}

fn failed(status: StatusCode) -> GitHostError {
    GitHostError::Failed(format!("the repository's host answered {status}"))
}

#[cfg(test)]
#[path = "github_tests.rs"]
mod tests;
