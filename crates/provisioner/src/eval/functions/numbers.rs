//! Functions on numbers.

use super::{Args, Result, Value};

pub(super) fn call(args: &Args<'_>) -> Option<Result> {
    let one = |f: fn(f64) -> f64| args.number(0).map(|n| Value::Number(f(n)));
    Some(match args.name {
        "floor" => one(f64::floor),
        "ceil" => one(f64::ceil),
        "abs" => one(f64::abs),
        "signum" => one(|n| if n == 0.0 { 0.0 } else { n.signum() }),
        "pow" => args
            .number(0)
            .and_then(|a| Ok(Value::Number(a.powf(args.number(1)?)))),
        "log" => args
            .number(0)
            .and_then(|a| Ok(Value::Number(a.log(args.number(1)?)))),
        "min" => fold(args, f64::min),
        "max" => fold(args, f64::max),
        "parseint" => args.text(0).and_then(|text| {
            let base = args.number(1)? as u32;
            if !(2..=36).contains(&base) {
                return Err(args.error("the base must be between 2 and 36"));
            }
            i64::from_str_radix(&text, base)
                .map(|n| Value::Number(n as f64))
                .map_err(|e| args.error(e))
        }),
        _ => return None,
    })
}

fn fold(args: &Args<'_>, f: fn(f64, f64) -> f64) -> Result {
    let mut result = args.number(0)?;
    for n in 1..args.values.len() {
        result = f(result, args.number(n)?);
    }
    Ok(Value::Number(result))
}
