//! Putting one parameter to the person.

use anyhow::Result;

use super::definition::Definition;
use crate::ui::output::emit;
use crate::ui::prompt::Question;
use crate::ui::select;
use crate::ui::style::Style;

/// Asks for a value of `parameter`.
pub fn ask(parameter: &Definition, suggestion: Option<String>) -> Result<String> {
    let style = Style::of(&std::io::stdout());
    emit(&format!("\n{}\n", style.bold(parameter.title())))?;
    let description = crate::follow::stages::printable(parameter.description.trim());
    if !description.is_empty() {
        emit(&format!(
            "  {}\n",
            style.dim(&description.replace('\n', "\n  "))
        ))?;
    }
    let single = parameter.kind != "list(string)";
    if single && !parameter.choices.is_empty() {
        return choose(parameter, suggestion);
    }
    if parameter.kind == "bool" {
        let options = ["true".to_owned(), "false".to_owned()];
        let start = usize::from(suggestion.as_deref() == Some("false"));
        return select::select(parameter.title(), &options, start).map(|i| options[i].clone());
    }
    if !parameter.choices.is_empty() {
        let values: Vec<&str> = parameter.choices.iter().map(|c| c.value.as_str()).collect();
        emit(&format!(
            "  {}\n",
            style.dim(&format!("any of: {}", values.join(", ")))
        ))?;
    }
    let question = Question {
        text: "Enter a value:",
        default: suggestion.as_deref(),
        secret: parameter.masked,
    };
    question.ask(|answer| {
        parameter.check(answer)?;
        anyhow::ensure!(parameter.offers(answer), "that is not among the choices");
        Ok(())
    })
}

fn choose(parameter: &Definition, suggestion: Option<String>) -> Result<String> {
    let options: Vec<String> = parameter
        .choices
        .iter()
        .map(|c| {
            if c.description.is_empty() {
                c.name.clone()
            } else {
                format!("{}: {}", c.name, c.description)
            }
        })
        .map(|line| crate::follow::stages::printable(&line.replace('\n', " ")))
        .collect();
    let start = suggestion
        .and_then(|s| parameter.choices.iter().position(|c| c.value == s))
        .unwrap_or(0);
    let chosen = select::select(parameter.title(), &options, start)?;
    Ok(parameter.choices[chosen].value.clone())
}
