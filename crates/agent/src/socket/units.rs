//! Units of work that scripts of a workspace announce to each other, so that one
//! can wait for another: which units there are, and which wait for which.

use std::collections::{BTreeMap, BTreeSet};

use parking_lot::Mutex;
use rpc::drpc::Status;
use rpc::proto::agentsocket::{DependencyInfo, UnitInfo};

/// Units at a time.
const MAX_UNITS: usize = 1024;
/// Units that one waits for.
const MAX_DEPENDENCIES: usize = 256;
/// Bytes of a unit's name.
const MAX_NAME: usize = 1024;
/// What a unit waits for in another.
const REQUIRED: State = State::Completed;

/// How far a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Pending,
    Started,
    Completed,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Started => "started",
            Self::Completed => "completed",
        }
    }
}

#[derive(Debug)]
struct Unit {
    state: State,
    waits_for: BTreeSet<String>,
}

/// All units.
#[derive(Debug, Default)]
pub struct Units(Mutex<BTreeMap<String, Unit>>);

type Table = BTreeMap<String, Unit>;

fn refuse(text: String) -> Status {
    Status::new(text)
}

fn check(name: &str) -> Result<(), Status> {
    if name.is_empty() {
        return Err(refuse("unit name is required".into()));
    }
    if name.len() > MAX_NAME {
        return Err(refuse(format!("unit name is longer than {MAX_NAME} bytes")));
    }
    Ok(())
}

fn register<'a>(table: &'a mut Table, name: &str) -> Result<&'a mut Unit, Status> {
    check(name)?;
    if table.len() >= MAX_UNITS && !table.contains_key(name) {
        return Err(refuse(format!("there are {MAX_UNITS} units already")));
    }
    Ok(table.entry(name.to_owned()).or_insert_with(|| Unit {
        state: State::Pending,
        waits_for: BTreeSet::new(),
    }))
}

fn state(table: &Table, name: &str) -> Option<State> {
    table.get(name).map(|unit| unit.state)
}

/// A unit that nobody has heard of waits for nothing.
fn ready(table: &Table, name: &str) -> bool {
    let waits_for = table.get(name).into_iter().flat_map(|unit| &unit.waits_for);
    waits_for
        .into_iter()
        .all(|other| state(table, other) == Some(REQUIRED))
}

/// Whether `from` waits for `to`, by way of others as well.
fn leads(table: &Table, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut next = vec![from];
    while let Some(name) = next.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name)
            && let Some(unit) = table.get(name)
        {
            next.extend(unit.waits_for.iter().map(String::as_str));
        }
    }
    false
}

impl Units {
    /// A unit begins; what it waits for must be complete.
    pub fn start(&self, name: &str) -> Result<(), Status> {
        let mut table = self.0.lock();
        register(&mut table, name)?;
        if !ready(&table, name) {
            return Err(refuse(format!(
                "cannot start unit {name:?}: unit not ready"
            )));
        }
        let unit = register(&mut table, name)?;
        if unit.state == State::Started {
            return Err(refuse(format!(
                "cannot start unit {name:?}: same status already set"
            )));
        }
        unit.state = State::Started;
        Ok(())
    }

    /// A unit is to wait for another, which need not be known yet.
    pub fn want(&self, name: &str, other: &str) -> Result<(), Status> {
        let mut table = self.0.lock();
        register(&mut table, name)?;
        check(other)?;
        if leads(&table, other, name) {
            return Err(refuse(format!(
                "cannot add dependency: {other:?} waits for {name:?} already: cycle detected"
            )));
        }
        let unit = register(&mut table, name)?;
        if unit.waits_for.len() >= MAX_DEPENDENCIES {
            return Err(refuse(format!(
                "unit {name:?} waits for {MAX_DEPENDENCIES} others already"
            )));
        }
        unit.waits_for.insert(other.to_owned());
        Ok(())
    }

    /// A unit is done.
    pub fn complete(&self, name: &str) -> Result<(), Status> {
        check(name)?;
        let mut table = self.0.lock();
        let unit = table.get_mut(name).ok_or_else(|| {
            refuse(format!(
                "cannot complete unit {name:?}: it must be started first: unit not found"
            ))
        })?;
        if unit.state == State::Completed {
            return Err(refuse(format!(
                "cannot complete unit {name:?}: same status already set"
            )));
        }
        unit.state = State::Completed;
        Ok(())
    }

    /// Whether a unit may begin.
    pub fn is_ready(&self, name: &str) -> Result<bool, Status> {
        check(name)?;
        Ok(ready(&self.0.lock(), name))
    }

    /// How far a unit is (empty if it is not known), and what it waits for.
    pub fn status(&self, name: &str) -> Result<(&'static str, Vec<DependencyInfo>), Status> {
        check(name)?;
        let table = self.0.lock();
        let Some(unit) = table.get(name) else {
            return Ok(("", Vec::new()));
        };
        let dependency = |other: &String| {
            let current = state(&table, other);
            DependencyInfo {
                unit: name.to_owned(),
                depends_on: other.clone(),
                required_status: REQUIRED.name().to_owned(),
                current_status: current.map(State::name).unwrap_or_default().to_owned(),
                is_satisfied: current == Some(REQUIRED),
            }
        };
        let dependencies = unit.waits_for.iter().map(dependency).collect();
        Ok((unit.state.name(), dependencies))
    }

    /// Every unit.
    pub fn list(&self) -> Vec<UnitInfo> {
        let table = self.0.lock();
        table
            .iter()
            .map(|(name, unit)| UnitInfo {
                unit: name.clone(),
                status: unit.state.name().to_owned(),
                is_ready: ready(&table, name),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_waits_until_others_are_complete() {
        let units = Units::default();
        units.want("app", "db").unwrap();
        units.want("app", "net").unwrap();
        assert!(!units.is_ready("app").unwrap());
        assert!(units.start("app").is_err());
        for other in ["db", "net"] {
            assert!(!units.is_ready("app").unwrap());
            units.start(other).unwrap();
            units.complete(other).unwrap();
        }
        units.start("app").unwrap();
        let (status, dependencies) = units.status("app").unwrap();
        assert_eq!(status, "started");
        assert!(dependencies.iter().all(|d| d.is_satisfied) && dependencies.len() == 2);
        assert_eq!(units.list().len(), 3);
    }

    #[test]
    fn circles_and_nonsense_are_refused() {
        let units = Units::default();
        units.want("a", "b").unwrap();
        units.want("b", "c").unwrap();
        for (unit, other) in [("c", "a"), ("a", "a"), ("", "a"), ("a", "")] {
            assert!(units.want(unit, other).is_err(), "{unit} {other}");
        }
        assert!(units.complete("never").is_err());
        assert!(units.start(&"x".repeat(MAX_NAME + 1)).is_err());
        units.start("c").unwrap();
        assert!(units.start("c").is_err());
        assert_eq!(units.status("unknown").unwrap(), ("", Vec::new()));
    }

    #[test]
    fn their_number_is_bounded() {
        let units = Units::default();
        for n in 0..MAX_UNITS {
            units.start(&n.to_string()).unwrap();
        }
        assert!(units.start("one more").is_err());
        for n in 0..MAX_DEPENDENCIES {
            units.want("0", &format!("other {n}")).unwrap();
        }
        assert!(units.want("0", "one more").is_err());
    }
}
