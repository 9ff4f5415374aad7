//! `coder_workspace_preset`: values for several parameters at once, and the workspaces that are prebuilt with them.

use super::{DataSource, set};
use crate::context::Context;
use crate::diagnostics::Diagnostic;
use crate::schema::{Attribute, Block, Check, Constant, Finding, Nested};
use crate::text::{cron, schedules, timezone};
use crate::value::{Object, Value, field, text};

/// The data source.
pub const DATA_SOURCE: DataSource = DataSource {
    name: "coder_workspace_preset",
    version: 1,
    block: &BLOCK,
    read,
};

/// A prebuilt workspace may live an hour at least, and a year at most, in seconds.
const TTL: std::ops::RangeInclusive<i64> = 3600..=31_536_000;

const BLOCK: Block = Block::new(
    "Values for parameters that belong together and are chosen together. Parameters that it does not name are asked for as usual.",
    &[
        Attribute::bool("default")
            .about("Whether it is chosen by default. One preset of a template may be.")
            .default(Constant::Bool(false)),
        Attribute::string("description")
            .about("What it is for. At most 128 characters.")
            .checked(&[Check::MaxLength(128)]),
        Attribute::string("icon")
            .about("URL of an icon, for example `/icon/go.svg`. At most 256 characters.")
            .checked(&[Check::Url, Check::MaxLength(256)]),
        Attribute::string("id").computed().about("Its name."),
        Attribute::string("name")
            .required()
            .about("Its name, unique within the template.")
            .checked(&[Check::NotEmpty]),
        Attribute::string_map("parameters").about(
            "Values by the parameters' names. Names that the template does not have are allowed.",
        ),
    ],
    &[Nested::set("prebuilds", &PREBUILDS).at_most_one()],
);

const PREBUILDS: Block = Block::new(
    "Workspaces that are built ahead and handed over when somebody creates one with this preset.",
    &[Attribute::number("instances")
        .required()
        .about("How many to keep ready.")
        .checked(&[Check::AtLeast(0)])],
    &[
        Nested::set("expiration_policy", &EXPIRATION_POLICY).at_most_one(),
        Nested::list("scheduling", &SCHEDULING).at_most_one(),
    ],
);

const EXPIRATION_POLICY: Block = Block::new(
    "How long a prebuilt workspace is kept.",
    &[Attribute::number("ttl")
        .required()
        .about("Seconds after which an unclaimed one is deleted: 3600 to 31536000, or 0 for never.")
        .checked(&[Check::Custom(check_ttl)])],
    &[],
);

const SCHEDULING: Block = Block::new(
    "How many to keep ready at which times.",
    &[Attribute::string("timezone")
        .required()
        .about("Time zone of the schedules, by its IANA name, for example `Europe/Berlin`.")
        .checked(&[Check::Custom(check_timezone)])],
    &[Nested::list("schedule", &SCHEDULE).at_least_one()],
);

const SCHEDULE: Block = Block::new(
    "A time span. No two of them may overlap; outside of all the `instances` of `prebuilds` count.",
    &[
        Attribute::string("cron")
            .required()
            .about("The hours of the span, as a cron expression of five fields whose minute is `*`: `* 9-17 * * 1-5`.")
            .checked(&[Check::Custom(check_cron)]),
        Attribute::number("instances").required().about("How many to keep ready."),
    ],
    &[],
);

fn check_ttl(value: &Value, name: &str) -> Vec<Finding> {
    match value.as_int() {
        Some(ttl) if ttl != 0 && !TTL.contains(&ttl) => {
            vec![Finding::Error(format!(
                "{name} must be 0 or between {} and {}, got {ttl}",
                TTL.start(),
                TTL.end()
            ))]
        }
        _ => Vec::new(),
    }
}

fn check_timezone(value: &Value, _: &str) -> Vec<Finding> {
    match value.as_str() {
        Some(zone) if !timezone::exists(zone) => vec![Finding::Error(format!(
            "failed to load timezone {zone:?}: it is not in the time zone database; use a name such as Europe/Berlin"
        ))],
        _ => Vec::new(),
    }
}

fn check_cron(value: &Value, _: &str) -> Vec<Finding> {
    let expression = value.as_str().unwrap_or_default();
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let error = if fields.len() != 5 {
        "cron spec failed validation: cron specification should consist of 5 fields".to_owned()
    } else if fields[0] != "*" {
        "cron spec failed validation: minute field should be *, because schedules stand for whole hours".to_owned()
    } else {
        match cron::check_five_fields(expression) {
            Ok(()) => return Vec::new(),
            Err(reason) => format!("failed to parse cron spec: {reason}"),
        }
    };
    vec![Finding::Error(error)]
}

fn read(state: &mut Object, _: &Object, _: &Context) -> Result<(), Vec<Diagnostic>> {
    let scheduling = field(state, "prebuilds")
        .elements()
        .iter()
        .filter_map(Value::as_object)
        .flat_map(|prebuilds| field(prebuilds, "scheduling").elements())
        .filter_map(Value::as_object);
    for scheduling in scheduling {
        let crons: Vec<&str> = field(scheduling, "schedule")
            .elements()
            .iter()
            .filter_map(Value::as_object)
            .map(|schedule| text(schedule, "cron"))
            .collect();
        schedules::check_overlaps(&crons).map_err(|reason| {
            vec![
                Diagnostic::error(format!("schedules overlap with each other: {reason}"))
                    .at_attribute("prebuilds"),
            ]
        })?;
    }
    let name = text(state, "name").to_owned();
    set(state, "id", name);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_sources::testing;

    fn block(entries: &[(&str, Value)]) -> Value {
        let entries = entries
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        Value::Sequence(vec![Value::Map(entries)])
    }

    fn with_schedules(crons: &[&str]) -> Result<Object, String> {
        let schedule = crons
            .iter()
            .flat_map(|cron| block(&[("cron", (*cron).into())]).elements().to_vec())
            .collect();
        let scheduling = block(&[("schedule", Value::Sequence(schedule))]);
        testing::read(
            &DATA_SOURCE,
            &[
                ("name", "p".into()),
                ("prebuilds", block(&[("scheduling", scheduling)])),
            ],
            &[],
        )
    }

    #[test]
    fn the_id_is_the_name() {
        let state = testing::read(&DATA_SOURCE, &[("name", "p".into())], &[]).unwrap();
        assert_eq!(text(&state, "id"), "p");
    }

    #[test]
    fn schedules_may_not_overlap() {
        assert!(with_schedules(&["* 9-17 * * 1-5", "* 18 * * 1-5"]).is_ok());
        assert!(
            with_schedules(&["* 9-17 * * 1-5", "* 17 * * 5"])
                .unwrap_err()
                .contains("schedules overlap")
        );
    }

    #[test]
    fn single_values_are_checked() {
        assert!(check_ttl(&Value::int(0), "ttl").is_empty());
        assert_eq!(check_ttl(&Value::int(3599), "ttl").len(), 1);
        assert!(check_cron(&"* 9-17 * * 1-5".into(), "cron").is_empty());
        for cron in ["0 9 * * *", "* * * *", "* 25 * * *", "@daily", ""] {
            assert_eq!(check_cron(&cron.into(), "cron").len(), 1, "{cron}");
        }
        assert_eq!(check_timezone(&"../x".into(), "timezone").len(), 1);
    }
}
