//! Which template probably is the right one: by what was searched for, by how often and how
//! lately the owner used it, and by how many people do.

use api_types::Template;
use chrono::{DateTime, Utc};
use store::template_usage::TemplateUsage;

/// Use counts half after so many days.
const HALF_LIFE_DAYS: f64 = 14.0;
/// What the owner's own workspaces count, beside those of others.
const OWN: f64 = 10.0;
/// What a deleted workspace counts, beside one that is there.
const DELETED: f64 = 0.5;
/// Rounding must not decide at a threshold.
const EPSILON: f64 = 1e-9;

/// The least score of a recommendation: as if two people used it.
fn floor() -> f64 {
    2f64.ln_1p()
}

/// The least distance of a recommendation to the next: as two people to one.
fn gap() -> f64 {
    2f64.ln_1p() - 1f64.ln_1p()
}

/// A template with what speaks for it.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) template: Template,
    pub(super) usage: TemplateUsage,
    /// How well it fits the search: 0, not at all, to 4, its name.
    fits: u8,
    score: f64,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The first one is clearly the best.
    UseFirst,
    /// It is not clear.
    Ask,
    /// The search found none.
    NoMatch,
    /// There is none.
    None,
}

/// The templates that fit a search, best first.
pub(super) fn rank(
    all: Vec<(Template, TemplateUsage)>,
    query: &str,
    now: DateTime<Utc>,
) -> Vec<Candidate> {
    let query = plain(query);
    let mut found: Vec<Candidate> = all
        .into_iter()
        .map(|(template, usage)| Candidate {
            fits: fits(&template, &query),
            score: score(&usage, now),
            template,
            usage,
        })
        .filter(|candidate| query.is_empty() || candidate.fits > 0)
        .collect();
    found.sort_by(|a, b| {
        b.fits
            .cmp(&a.fits)
            .then(b.score.total_cmp(&a.score))
            .then_with(|| a.template.name.cmp(&b.template.name))
            .then_with(|| a.template.id.cmp(&b.template.id))
    });
    found
}

/// What to do with these, of `visible` templates in all.
pub(super) fn next(ranked: &[Candidate], visible: usize) -> Next {
    let (top, second) = match ranked {
        [] if visible == 0 => return Next::None,
        [] => return Next::NoMatch,
        [only] if visible == 1 || only.fits > 0 => return Next::UseFirst,
        [only] => (only, None),
        [top, second, ..] => (top, Some(second)),
    };
    let at_least = |score: f64, threshold: f64| score >= threshold - EPSILON;
    let leads = second.is_none_or(|second| at_least(top.score - second.score, gap()));
    let clear = if top.fits > 0 {
        second.is_none_or(|second| top.fits > second.fits) || leads
    } else {
        let alone = second.is_none_or(|second| !at_least(second.score, floor()));
        at_least(top.score, floor()) && (alone || leads)
    };
    if clear { Next::UseFirst } else { Next::Ask }
}

fn score(usage: &TemplateUsage, now: DateTime<Utc>) -> f64 {
    let own = usage.last_used_at.map_or(0.0, |at| {
        let count = usage.workspaces as f64 + DELETED * usage.deleted as f64;
        let days = (now - at).as_seconds_f64().max(0.0) / 86_400.0;
        OWN * count * 0.5f64.powf(days / HALF_LIFE_DAYS)
    });
    own + (usage.developers as f64).ln_1p()
}

fn fits(template: &Template, query: &str) -> u8 {
    if query.is_empty() {
        return 0;
    }
    let names = [&template.name, &template.display_name];
    let best = names.iter().map(|name| {
        let name = plain(name);
        if name == query {
            4
        } else if name.starts_with(query) {
            3
        } else if name.contains(query) {
            2
        } else {
            0
        }
    });
    match best.max().unwrap_or(0) {
        0 => u8::from(plain(&template.description).contains(query)),
        best => best,
    }
}

/// A text without what people write in many ways: case, spaces, hyphens and underscores.
fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !matches!(c, ' ' | '-' | '_') && !c.is_whitespace())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    /// A template with its developers, own workspaces, and days since their last use.
    fn template(name: &str, developers: i64, own: i64, days: i64) -> (Template, TemplateUsage) {
        let template = Template {
            name: name.to_owned(),
            description: format!("for {name} people"),
            ..Template::default()
        };
        let usage = TemplateUsage {
            workspaces: own,
            deleted: 0,
            developers,
            last_used_at: (own > 0).then(|| now() - chrono::TimeDelta::days(days)),
        };
        (template, usage)
    }

    fn decide(all: &[(Template, TemplateUsage)], query: &str) -> (Vec<String>, Next) {
        let ranked = rank(all.to_vec(), query, now());
        let names = ranked.iter().map(|c| c.template.name.clone()).collect();
        (names, next(&ranked, all.len()))
    }

    #[test]
    fn own_use_comes_first_and_fades() {
        let all = [template("many", 50, 0, 0), template("mine", 1, 1, 7)];
        let (names, next) = decide(&all, "");
        assert_eq!((names[0].as_str(), next), ("mine", Next::UseFirst));
        let all = [template("many", 50, 0, 0), template("mine", 1, 1, 56)];
        assert_eq!(decide(&all, "").0[0], "many");
        // Half after two weeks; deleted ones count half.
        let (_, mut usage) = template("x", 0, 1, 14);
        assert!((score(&usage, now()) - 5.0).abs() < 1e-9);
        (usage.workspaces, usage.deleted) = (0, 2);
        assert!((score(&usage, now()) - 5.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_recommended() {
        let some = |all: &[(Template, TemplateUsage)]| decide(all, "").1;
        assert_eq!(some(&[]), Next::None);
        assert_eq!(some(&[template("a", 0, 0, 0)]), Next::UseFirst);
        assert_eq!(
            some(&[template("a", 2, 0, 0), template("b", 1, 0, 0)]),
            Next::UseFirst
        );
        assert_eq!(
            some(&[template("a", 16, 0, 0), template("b", 15, 0, 0)]),
            Next::Ask
        );
        assert_eq!(
            some(&[template("a", 1, 0, 0), template("b", 0, 0, 0)]),
            Next::Ask
        );
        assert_eq!(
            some(&[template("a", 0, 0, 0), template("b", 0, 0, 0)]),
            Next::Ask
        );
    }

    #[test]
    fn what_was_searched_for_decides() {
        let all = [
            template("docker", 9, 0, 0),
            template("docker-gpu", 1, 0, 0),
            template("python", 0, 0, 0),
        ];
        let (names, next) = decide(&all, "Docker_GPU");
        assert_eq!(
            (names.len(), names[0].as_str(), next),
            (1, "docker-gpu", Next::UseFirst)
        );
        let (names, next) = decide(&all, "docker");
        assert_eq!((names[0].as_str(), next), ("docker", Next::UseFirst));
        // Both begin so: use breaks the tie.
        assert_eq!(decide(&all, "dock").1, Next::UseFirst);
        assert_eq!(decide(&all, "python people").0, ["python"]);
        assert_eq!(decide(&all, "windows").1, Next::NoMatch);
        let alike = [template("web-a", 3, 0, 0), template("web-b", 3, 0, 0)];
        assert_eq!(decide(&alike, "web").1, Next::Ask);
    }
}
