//! Notes that wait for their transaction: one per workspace, and the reports of agents.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chrono::{DateTime, Utc};
use store::workspace_agents::AgentReport;
use uuid::Uuid;

/// Reports, and workspaces, of one transaction: enough to be cheap, not enough to hold anybody up.
pub(super) const BATCH: usize = 1024;
/// Reports that wait at most, while the database is away: a few minutes of thousands of agents.
const MAX_REPORTS: usize = 16 * BATCH;
/// Workspaces that wait at most; a use of one more is not noted. More than one server carries.
const MAX_WORKSPACES: usize = 64 * BATCH;

/// What is known of one workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Note {
    /// When it was last used, if it was.
    used: Option<DateTime<Utc>>,
    /// It shall stop later.
    bump: bool,
}

impl Note {
    fn join(&mut self, other: Note) {
        self.used = self.used.max(other.used);
        self.bump |= other.bump;
    }
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) reports: Vec<AgentReport>,
    notes: HashMap<Uuid, Note>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.notes.is_empty()
    }

    /// Workspaces that were used, and when.
    pub(super) fn used(&self) -> impl Iterator<Item = (Uuid, DateTime<Utc>)> {
        let notes = self.notes.iter();
        notes.filter_map(|(id, note)| Some((*id, note.used?)))
    }

    /// Workspaces that shall stop later.
    pub(super) fn bumps(&self) -> impl Iterator<Item = Uuid> {
        let notes = self.notes.iter();
        notes.filter_map(|(id, note)| note.bump.then_some(*id))
    }

    /// Takes over what `from` says of a workspace's use.
    pub(super) fn keep_use(&mut self, from: &Batch, workspace: Uuid) {
        if let Some(note) = from.notes.get(&workspace) {
            self.notes.entry(workspace).or_default().join(Note {
                bump: false,
                ..*note
            });
        }
    }

    /// Keeps in mind that a workspace shall stop later.
    pub(super) fn keep_bump(&mut self, workspace: Uuid) {
        self.notes.entry(workspace).or_default().bump = true;
    }

    /// Adds what another has.
    pub(super) fn join(&mut self, other: Batch) {
        self.reports.extend(other.reports);
        for (id, note) in other.notes {
            self.notes.entry(id).or_default().join(note);
        }
    }
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Pending {
    reports: Vec<AgentReport>,
    notes: HashMap<Uuid, Note>,
}

impl Pending {
    /// Notes something of a workspace.
    pub(super) fn note(&mut self, workspace: Uuid, used: Option<DateTime<Utc>>, bump: bool) {
        let room = self.notes.len() < MAX_WORKSPACES;
        match self.notes.entry(workspace) {
            Entry::Occupied(mut known) => known.get_mut().join(Note { used, bump }),
            Entry::Vacant(new) if room => {
                new.insert(Note { used, bump });
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Adds a report; how many wait. While as many wait as may, new ones are not taken: what
    /// they count is too little to matter, and agents send the next ones soon.
    pub(super) fn report(&mut self, report: AgentReport) -> usize {
        if self.reports.len() < MAX_REPORTS {
            self.reports.push(report);
        }
        self.reports.len()
    }

    /// What the next transaction is to write.
    pub(super) fn take(&mut self) -> Batch {
        let reports = self.reports.len().min(BATCH);
        let ids: Vec<Uuid> = self.notes.keys().take(BATCH).copied().collect();
        Batch {
            reports: self.reports.drain(..reports).collect(),
            notes: ids
                .into_iter()
                .filter_map(|id| Some((id, self.notes.remove(&id)?)))
                .collect(),
        }
    }

    /// Takes back what could not be written, as the oldest. How many reports had no room.
    pub(super) fn put_back(&mut self, batch: Batch) -> usize {
        for (id, note) in batch.notes {
            self.note(id, note.used, note.bump);
        }
        let mut reports = batch.reports;
        reports.append(&mut self.reports);
        let lost = reports.len().saturating_sub(MAX_REPORTS);
        reports.truncate(MAX_REPORTS);
        self.reports = reports;
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use store::workspace_agents::NewAgentStats;

    fn report(n: u128) -> AgentReport {
        AgentReport {
            at: Utc::now(),
            agent_id: Uuid::from_u128(n),
            workspace_id: Uuid::nil(),
            owner_id: Uuid::nil(),
            template_id: Uuid::nil(),
            stats: NewAgentStats::default(),
        }
    }

    #[test]
    fn many_notes_of_one_workspace_are_one() {
        let mut pending = Pending::default();
        let (id, now) = (Uuid::from_u128(1), Utc::now());
        pending.note(id, None, true);
        pending.note(id, Some(now), false);
        pending.note(id, Some(now - TimeDelta::seconds(5)), false);
        let batch = pending.take();
        assert_eq!(batch.used().collect::<Vec<_>>(), [(id, now)]);
        assert_eq!(batch.bumps().collect::<Vec<_>>(), [id]);
        assert!(pending.take().is_empty());
    }

    #[test]
    fn what_was_not_written_comes_first_the_next_time() {
        let mut pending = Pending::default();
        for n in 0..=BATCH {
            pending.report(report(n as u128));
        }
        let first = pending.take();
        assert_eq!(first.reports.len(), BATCH);
        pending.note(Uuid::from_u128(7), Some(Utc::now()), true);
        let mut left = Batch::default();
        left.join(first);
        left.keep_bump(Uuid::from_u128(8));
        assert_eq!(pending.put_back(left), 0);
        let again = pending.take();
        assert_eq!(again.reports[0].agent_id, Uuid::nil());
        assert_eq!(again.bumps().count(), 2);
        assert_eq!(pending.take().reports.len(), 1);
    }

    #[test]
    fn memory_is_bounded_while_the_database_is_away() {
        let mut pending = Pending::default();
        for n in 0..MAX_REPORTS + 10 {
            pending.report(report(n as u128));
        }
        for n in 0..MAX_WORKSPACES + 10 {
            pending.note(Uuid::from_u128(n as u128), None, true);
        }
        assert_eq!(pending.reports.len(), MAX_REPORTS);
        assert_eq!(pending.notes.len(), MAX_WORKSPACES);
        let batch = pending.take();
        for n in 0..10 {
            pending.report(report(n));
        }
        assert_eq!(pending.put_back(batch), 10);
        assert_eq!(pending.reports.len(), MAX_REPORTS);
    }
}
