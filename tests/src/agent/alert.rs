//! One alert as it was delivered.

use serde_json::Value;

/// The JSON object of an alert, with names for what the tests look at.
#[derive(Clone, Debug, PartialEq)]
pub struct Alert(Value);

impl Alert {
    /// Reads one line; `None` when it is no JSON object.
    #[must_use]
    pub fn parse(line: &str) -> Option<Self> {
        serde_json::from_str(line)
            .ok()
            .filter(Value::is_object)
            .map(Self)
    }

    /// Stands for a line that is no alert, so that a test sees it.
    #[must_use]
    pub(super) fn unreadable(line: &str) -> Self {
        Self(serde_json::json!({ "rule": "unreadable line", "output": line }))
    }

    /// The whole object.
    #[must_use]
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// Text at a JSON pointer; empty when there is none.
    #[must_use]
    pub fn text(&self, pointer: &str) -> &str {
        self.0
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// A number at a JSON pointer.
    #[must_use]
    pub fn number(&self, pointer: &str) -> Option<i64> {
        self.0.pointer(pointer).and_then(Value::as_i64)
    }

    /// The name of the rule.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.text("/rule")
    }

    /// The priority's word.
    #[must_use]
    pub fn priority(&self) -> &str {
        self.text("/priority")
    }

    /// Whether the priority is below `Warning`: nothing anybody is woken for.
    #[must_use]
    pub fn is_low(&self) -> bool {
        matches!(self.priority(), "Notice" | "Informational" | "Debug")
    }

    /// Name of the container it is about; empty on the host.
    #[must_use]
    pub fn container_name(&self) -> &str {
        self.text("/container/name")
    }

    /// Id of the container it is about; empty on the host.
    #[must_use]
    pub fn container_id(&self) -> &str {
        self.text("/container/id")
    }

    /// Whether it is about a container, by its whole id or the start of it.
    #[must_use]
    pub fn is_about(&self, id: &str) -> bool {
        let own = self.container_id();
        own.len() >= 12 && id.starts_with(own)
    }

    /// Whether the whole alert, as JSON, contains the text.
    #[must_use]
    pub fn mentions(&self, text: &str) -> bool {
        self.0.to_string().contains(text)
    }

    /// One line of bounded length, for messages.
    #[must_use]
    pub fn brief(&self) -> String {
        const MAX_CHARS: usize = 400;
        self.line().chars().take(MAX_CHARS).collect()
    }

    fn line(&self) -> String {
        format!(
            "{} [{}] {}: {}",
            self.priority(),
            self.rule(),
            self.container_name(),
            self.text("/output")
        )
    }
}
