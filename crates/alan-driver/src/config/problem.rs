//! What is wrong with a setting: the one error of configuration.

use std::fmt;

use alan_proto::ConfigError;
use thiserror::Error;

/// A setting that a node can't start with.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub struct ConfigProblem {
    /// The setting's name.
    pub field: &'static str,
    /// What it is set to, in words for a key, which is never shown.
    pub value: String,
    /// What is permitted.
    pub permitted: &'static str,
    /// The environment variable that the value came from, if it came from one.
    pub variable: Option<String>,
}

impl ConfigProblem {
    pub(crate) fn new(
        field: &'static str,
        value: impl fmt::Display,
        permitted: &'static str,
    ) -> Self {
        Self { field, value: value.to_string(), permitted, variable: None }
    }

    pub(crate) fn in_variable(self, variable: impl Into<String>) -> Self {
        Self { variable: Some(variable.into()), ..self }
    }
}

impl From<ConfigError> for ConfigProblem {
    fn from(error: ConfigError) -> Self {
        Self::new(error.field, error.value, error.permitted)
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, value, permitted, variable } = self;
        match variable {
            Some(variable) => write!(f, "{field} (from {variable})")?,
            None => f.write_str(field)?,
        }
        write!(f, " is {value}, but must be {permitted}")
    }
}
