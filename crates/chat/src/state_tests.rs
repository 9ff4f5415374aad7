//! The table, written down a second time, and what must hold for every pair.

use super::*;

/// One line per state: `transition->targets`, `?` for what the queue decides.
const EXPECTED: &[(&str, &str)] = &[
    ("N", "Create>R0"),
    (
        "W",
        "Send>R0 SendInterrupt>R0 Edit>R0 RequestCompaction>R0 Clear>W Archive>XW",
    ),
    (
        "E0",
        "Send>R0 SendInterrupt>R0 Edit>R0 RequestCompaction>R0 Clear>W Archive>XE0",
    ),
    (
        "E1",
        "Send>R1 SendInterrupt>R1 Edit>R0 RequestCompaction>R1 DeleteQueued>E0/E1 Promote>R0/R1 \
         EditQueued>E1 Pause>P1 Archive>XE1",
    ),
    (
        "R0",
        "Send>R1 SendInterrupt>I1 Edit>R0 Interrupt>I0 RecordAttempt>R0 RecordRetry>R0 \
         CommitStep>R0 EnterRequiresAction>A0 FinishTurn>W FinishError>E0",
    ),
    (
        "R1",
        "Send>R1 SendInterrupt>I1 Edit>R0 Interrupt>I1 RecordAttempt>R1 RecordRetry>R1 \
         CommitStep>R1 EnterRequiresAction>A1 FinishTurn>R0/R1 FinishError>E1 \
         DeleteQueued>R0/R1 Promote>I1 EditQueued>R1 Pause>P1",
    ),
    (
        "I0",
        "Send>I1 SendInterrupt>I1 Edit>R0 FinishInterruption>W",
    ),
    (
        "I1",
        "Send>I1 SendInterrupt>I1 Edit>R0 FinishInterruption>R0/R1 DeleteQueued>I0/I1 Promote>I1 \
         EditQueued>I1 Pause>P1",
    ),
    (
        "A0",
        "Send>A1 SendInterrupt>R1 Edit>R0 Interrupt>R0 CompleteRequiresAction>R0 \
         CancelRequiresAction>R0",
    ),
    (
        "A1",
        "Send>A1 SendInterrupt>R1 Edit>R0 Interrupt>R1 CompleteRequiresAction>R1 \
         CancelRequiresAction>R1 DeleteQueued>A0/A1 Promote>R0/R1 EditQueued>A1",
    ),
    (
        "P1",
        "Send>P1 SendInterrupt>R1 Edit>R0 DeleteQueued>W/P1 Promote>R0/R1 EditQueued>P1 \
         Resume>R0/R1 Archive>XP1",
    ),
    ("XW", "Unarchive>W"),
    ("XE0", "Unarchive>E0"),
    ("XE1", "Unarchive>E1"),
    ("XP1", "Unarchive>P1"),
    ("Invalid", "ReconcileInvalid>E0/E1"),
];

#[test]
fn every_pair_is_as_written() {
    assert_eq!(EXPECTED.len(), State::ALL.len());
    for (from, (code, line)) in State::ALL.into_iter().zip(EXPECTED) {
        assert_eq!(from.code(), *code);
        let mut allowed = 0;
        for entry in line.split_whitespace() {
            let (name, to) = entry.split_once('>').unwrap();
            let transition = *Transition::ALL.iter().find(|t| t.name() == name).unwrap();
            let to: Vec<&str> = to.split('/').collect();
            let targets: Vec<&str> = targets(from, transition).iter().map(|s| s.code()).collect();
            assert_eq!(targets, to, "{from} {name}");
            let last = next(from, transition, true).unwrap();
            let first = next(from, transition, false).unwrap();
            assert_eq!((first.code(), last.code()), (to[0], to[to.len() - 1]));
            allowed += 1;
        }
        let refused = Transition::ALL
            .iter()
            .filter(|t| next(from, **t, false).is_err())
            .count();
        assert_eq!(refused, Transition::ALL.len() - allowed, "{from}");
    }
}

#[test]
fn rows_are_told_apart_and_nothing_leads_to_nowhere() {
    for from in State::ALL {
        for &transition in Transition::ALL {
            for &to in targets(from, transition) {
                assert!(!matches!(to, State::Absent | State::Invalid));
                let status = to.status().unwrap();
                let archived = to.code().starts_with('X');
                let queued = to.code().ends_with('1');
                assert_eq!(State::of(&status, archived, queued), to);
            }
        }
    }
    // Whatever no transition makes is invalid.
    assert_eq!(State::of(&ChatStatus::Waiting, false, true), State::Invalid);
    assert_eq!(State::of(&ChatStatus::Running, true, false), State::Invalid);
    assert_eq!(State::of(&ChatStatus::Unset, false, false), State::Invalid);
    assert_eq!(State::of(&ChatStatus::Paused, false, false), State::Invalid);
    assert_eq!(State::of(&ChatStatus::Paused, true, false), State::Invalid);
    let legacy = ChatStatus::from("completed");
    assert_eq!(State::of(&legacy, false, false), State::Invalid);
}

#[test]
fn only_idle_states_can_be_archived_and_busy_ones_are_runnable() {
    for state in State::ALL {
        let archive = !targets(state, Transition::Archive).is_empty();
        assert!(!(archive && state.is_runnable()), "{state}");
    }
}

/// After a change: `UPDATE_DOCS=1 cargo test -p chat --lib docs_page`.
#[test]
fn docs_page() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/chat-states.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == document(),
        "docs/chat-states.md is not what the table gives: UPDATE_DOCS=1 cargo test -p chat --lib docs_page"
    );
}
