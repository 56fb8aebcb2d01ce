//! What the configuration asks of each crate: the one place that knows both sides.

use std::io::{self, IsTerminal};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use vigia_alerts::{
    FileOptions, Form, JsonProperties, OutputConfig, RenderOptions, StdoutOptions, Target,
    TimeStyle, WebhookOptions,
};
use vigia_event::secret::SecretSource;
use vigia_inventory::{containers, engines, images, processes, readers};

use crate::config::selection::{AppendOutput, ExtraField, Select, Which};
use crate::config::value::Text;
use crate::config::{
    self, Config, DeclaredSecrets, FileFormat, Matching, Scope, StdoutFormat, Webhook,
};
use crate::existing::Host;
use crate::input;

/// A header's value is not longer than this.
const MAX_HEADER_BYTES: usize = 8192;

fn bounded(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// How the rules are compiled.
#[must_use]
pub fn engine(config: &Config) -> vigia_engine::Options {
    vigia_engine::Options {
        minimum_priority: config.rules.minimum_priority.0,
        rule_matching: match config.rules.matching {
            Matching::First => vigia_engine::RuleMatching::First,
            Matching::All => vigia_engine::RuleMatching::All,
        },
        selections: config.rules.select.iter().map(selection).collect(),
        append_output: config
            .outputs
            .append_output
            .iter()
            .map(append_output)
            .collect(),
        static_fields: config
            .fixed_fields
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        buffers_as_base64: config.outputs.buffer_format_base64,
        maximum_bytes: crate::rules::MAX_TOTAL_BYTES,
        utc_offset_seconds: jiff::Zoned::now().offset().seconds(),
        ..vigia_engine::Options::default()
    }
}

fn selection(select: &Select) -> vigia_engine::Selection {
    let (enable, which) = match select {
        Select::Enable(which) => (true, which),
        Select::Disable(which) => (false, which),
    };
    vigia_engine::Selection {
        enable,
        rules: match which {
            Which::Rule(pattern) => vigia_engine::Selector::Name(pattern.to_string()),
            Which::Tag(tag) => vigia_engine::Selector::Tag(tag.to_string()),
        },
    }
}

fn append_output(append: &AppendOutput) -> vigia_engine::AppendOutput {
    let field = |field: &ExtraField| -> Vec<vigia_engine::AppendField> {
        match field {
            ExtraField::Field(name) => vec![vigia_engine::AppendField::Field(name.to_string())],
            ExtraField::Text(named) => named
                .iter()
                .map(|(name, format)| vigia_engine::AppendField::Text {
                    name: name.to_string(),
                    format: format.to_string(),
                })
                .collect(),
        }
    };
    vigia_engine::AppendOutput {
        source: append.rules.source.as_ref().map(ToString::to_string),
        tags: append.rules.tags.iter().map(ToString::to_string).collect(),
        rule: append.rules.rule.as_ref().map(ToString::to_string),
        extra_output: append.extra_output.as_ref().map(ToString::to_string),
        extra_fields: append.extra_fields.iter().flat_map(field).collect(),
        suggested_output: append.suggested_output,
    }
}

/// How alerts are written.
#[must_use]
pub fn rendering(config: &Config) -> RenderOptions {
    let json = config.outputs.json;
    RenderOptions {
        time: TimeStyle {
            iso8601: config.outputs.time_format_iso_8601,
            ..TimeStyle::default()
        },
        json: JsonProperties {
            message: json.include_message_property,
            output: json.include_output_property,
            output_fields: json.include_output_fields_property,
            tags: json.include_tags_property,
        },
    }
}

/// How the probes are set up.
#[must_use]
pub fn sensor(config: &Config) -> vigia_sensor::Options {
    vigia_sensor::Options {
        scope: match &config.scope {
            Scope::Containers => vigia_sensor::Scope::Containers,
            Scope::Host => vigia_sensor::Scope::Host,
            Scope::Cgroup(path) => vigia_sensor::Scope::Cgroup(path.clone()),
        },
        ring_bytes: config.sensor.ring_bytes.get(),
        proc_root: config.proc_root().to_owned(),
        budget: vigia_sensor::Budget {
            rate_per_s: bounded(config.sensor.budget.events_per_second.get()),
            burst: bounded(config.sensor.budget.burst.get()),
        },
        max_tasks: bounded(config.sensor.max_tasks.get()),
        max_containers: bounded(config.inventory.max_containers.get()),
        ..vigia_sensor::Options::default()
    }
}

/// How large the process table may grow. `environment` says whether a rule reads it; `host_mnt_ns` is
/// the inode number of the host's mount namespace.
#[must_use]
pub fn processes(config: &Config, host_mnt_ns: u32, environment: bool) -> processes::Options {
    processes::Options {
        max_processes: config.inventory.max_processes.count(),
        host_mnt_ns,
        proc_root: Some(config.proc_root().to_owned()),
        scan: processes::ScanOptions {
            environment,
            ..processes::ScanOptions::default()
        },
        ..processes::Options::default()
    }
}

/// What the container table needs to know. `cgroup_folder` is where the hierarchy of the engines is
/// mounted.
#[must_use]
pub fn containers(
    config: &Config,
    host: Host,
    cgroup_folder: Option<PathBuf>,
) -> containers::Options {
    containers::Options {
        proc_root: config.proc_root().to_owned(),
        host_mnt_ns: host.mnt_ns,
        host_pid: host.pid,
        cgroup_folder,
        user_namespace,
        max_containers: config.inventory.max_containers.count(),
        declared_secrets: config.secrets.declared.iter().map(declared).collect(),
        host_secrets: containers::engine_state()
            .into_iter()
            .chain(
                config
                    .secrets
                    .host_paths
                    .iter()
                    .map(|path| containers::HostSecret {
                        path: path.as_bytes().into(),
                        name: None,
                        source: SecretSource::Declared,
                    }),
            )
            .collect(),
        ..containers::Options::default()
    }
}

fn declared(declared: &DeclaredSecrets) -> containers::DeclaredSecrets {
    containers::DeclaredSecrets {
        paths: declared.paths.iter().map(|path| path.to_string()).collect(),
        image: declared.image.as_ref().map(ToString::to_string),
        container: declared.container.as_ref().map(ToString::to_string),
    }
}

fn texts<const MAX: usize>(texts: &[Text<MAX>]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

/// How readers of secrets are judged.
#[must_use]
pub fn readers(config: &Config, host_mnt_ns: u32) -> readers::Options {
    readers::Options {
        window_ns: config.secrets.window_s.get().saturating_mul(1_000_000_000),
        declared: texts(&config.secrets.declared_readers),
        declared_on_host: texts(&config.secrets.host_readers),
        engines: config
            .secrets
            .engine_programs
            .iter()
            .map(|path| path.as_os_str().as_bytes().into())
            .collect(),
        host_mnt_ns,
        max_processes: config.inventory.max_processes.count(),
        max_containers: config.inventory.max_containers.count(),
        ..readers::Options::default()
    }
}

/// How to watch the engine behind a socket.
#[must_use]
pub fn engine_at(config: &config::Engines, socket: &Path) -> engines::Options {
    engines::Options {
        timeout: config.timeout_s.seconds(),
        ..engines::Options::new(
            engines::places::engine_at(socket),
            &socket.to_string_lossy(),
        )
    }
}

/// Looks at the user namespace of a process, for [`containers::Options::user_namespace`].
fn user_namespace(proc_root: &Path, pid: u32) -> io::Result<containers::UserNamespace> {
    let found = vigia_sensor::user_namespace::of_process(proc_root, pid)?;
    Ok(containers::UserNamespace {
        inode: found.inode,
        maker: found.maker,
    })
}

/// Where reports and lists about images are.
#[must_use]
pub fn images(config: &Config) -> images::Options {
    images::Options {
        reports: config.images.reports.as_deref().map(Path::to_owned),
        trusted: config.images.trusted.as_deref().map(Path::to_owned),
    }
}

/// How repeats are folded.
#[must_use]
pub fn throttle(config: &Config) -> vigia_alerts::ThrottleOptions {
    vigia_alerts::ThrottleOptions {
        window: config.throttle.window_s.seconds(),
        max_keys: config.throttle.max_keys.count(),
        ..vigia_alerts::ThrottleOptions::default()
    }
}

/// What every alert has in common.
///
/// # Errors
/// A redaction pattern cannot be used.
pub fn alert_context(config: &Config) -> anyhow::Result<vigia_alerts::Context> {
    let redaction = vigia_alerts::RedactionOptions {
        enabled: config.redaction.enabled,
        names: config
            .redaction
            .names
            .iter()
            .map(ToString::to_string)
            .collect(),
        patterns: config
            .redaction
            .patterns
            .iter()
            .map(ToString::to_string)
            .collect(),
    };
    Ok(vigia_alerts::Context {
        redactor: vigia_alerts::Redactor::new(&redaction)?,
        fixed_fields: config
            .fixed_fields
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect(),
        agent_version: env!("CARGO_PKG_VERSION"),
        iso8601: config.outputs.time_format_iso_8601,
    })
}

/// Where alerts go.
///
/// # Errors
/// A file that holds a header's value cannot be read.
pub fn outputs(config: &Config) -> anyhow::Result<Vec<OutputConfig>> {
    let outputs = &config.outputs;
    let queue = outputs.queue.count();
    let mut configs = Vec::new();
    if outputs.stdout.enabled {
        let terminal = std::io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        let form = stdout_form(outputs.stdout.format, terminal, colour);
        configs.push(OutputConfig {
            name: "stdout".to_owned(),
            queue,
            target: Target::Stdout(StdoutOptions { form }),
        });
    }
    if let Some(path) = &outputs.file.path {
        let form = match outputs.file.format {
            FileFormat::Json => Form::Json,
            FileFormat::Text => Form::Text,
        };
        let options = FileOptions {
            path: path.to_path_buf(),
            form,
            ..FileOptions::default()
        };
        configs.push(OutputConfig {
            name: "file".to_owned(),
            queue,
            target: Target::File(options),
        });
    }
    for (index, webhook) in outputs.webhooks.iter().enumerate() {
        configs.push(OutputConfig {
            name: webhook.name_at(index),
            queue: webhook.queue.map_or(queue, |queue| queue.count()),
            target: Target::Webhook(webhook_options(webhook)?),
        });
    }
    Ok(configs)
}

fn stdout_form(format: StdoutFormat, terminal: bool, colour: bool) -> Form {
    match format {
        StdoutFormat::Auto if terminal => Form::Readable { colour },
        StdoutFormat::Auto | StdoutFormat::Json => Form::Json,
        StdoutFormat::Text => Form::Text,
        StdoutFormat::Readable => Form::Readable { colour },
    }
}

fn webhook_options(webhook: &Webhook) -> anyhow::Result<WebhookOptions> {
    let mut headers: Vec<(String, String)> = webhook
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.expose().to_owned()))
        .collect();
    for (name, path) in &webhook.header_files {
        let value =
            input::read_text(path, MAX_HEADER_BYTES).with_context(|| format!("header {name}"))?;
        headers.push((name.to_string(), value.trim_end().to_owned()));
    }
    Ok(WebhookOptions {
        url: webhook.url.expose().to_owned(),
        headers,
        ca_file: webhook.ca_file.as_ref().map(|path| path.to_path_buf()),
        timeout: webhook.timeout_s.seconds(),
        max_age: webhook.retry_age_s.seconds(),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config(value: serde_json::Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn documented_defaults_are_those_of_the_crates() {
        let config = Config::default();
        assert_eq!(sensor(&config), vigia_sensor::Options::default());
        assert_eq!(throttle(&config), vigia_alerts::ThrottleOptions::default());
        assert_eq!(rendering(&config), RenderOptions::default());
        let defaults = vigia_engine::Options::default();
        assert_eq!(engine(&config).append_output, defaults.append_output);
        assert_eq!(
            readers(&config, 0).window_ns,
            readers::Options::default().window_ns
        );
        assert_eq!(
            processes(&config, 0, false).max_processes,
            processes::Options::default().max_processes
        );
        assert_eq!(
            containers(&config, Host { mnt_ns: 0, pid: 1 }, None).max_containers,
            containers::Options::default().max_containers
        );
        let defaults = WebhookOptions::default();
        let webhook = serde_json::from_value(serde_json::json!({"url": "http://a/"})).unwrap();
        let options = webhook_options(&webhook).unwrap();
        assert_eq!(
            (options.timeout, options.max_age),
            (defaults.timeout, defaults.max_age)
        );
    }

    #[test]
    fn rules_are_switched_and_added_to_as_falcos_configuration_says() {
        let config = config(serde_json::json!({
            "static_fields": {"cluster": "eu-1"},
            "rules": {"select": [{"disable": {"rule": "*"}}, {"enable": {"tag": "mine"}}]},
            "outputs": {"append_output": [
                {"match": {"tags": ["mine"]}, "extra_output": "pid=%proc.pid",
                 "extra_fields": ["proc.name", {"where": "%static.cluster %evt.type"}]},
            ]},
        }));
        let rule = |name: &str, tags: &str| {
            format!(
                "- {{rule: {name}, desc: d, condition: evt.type = openat, output: o, priority: INFO, tags: [{tags}]}}\n"
            )
        };
        let rules = rule("one", "mine") + &rule("two", "");
        let compiled = vigia_engine::compile(
            &[vigia_engine::Source::new("r.yaml", rules)],
            &engine(&config),
        );
        assert!(
            compiled.diagnostics.is_empty(),
            "{:?}",
            compiled.diagnostics
        );
        let ruleset = compiled.ruleset.unwrap();
        let enabled: Vec<_> = ruleset.rules().iter().map(|rule| rule.enabled).collect();
        assert_eq!(enabled, [true, false]);
        let extra: Vec<_> = ruleset.rules()[0]
            .extra_fields
            .iter()
            .map(|field| field.name().to_owned())
            .collect();
        assert_eq!(extra, ["proc.name", "where"]);
    }

    #[test]
    fn a_header_can_come_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "Bearer canary\n").unwrap();
        let config = config(
            serde_json::json!({"outputs": {"stdout": {"enabled": false}, "webhooks": [
            {"url": "http://a/", "header_files": {"Authorization": file.path()}, "timeout_s": 3}]}}),
        );
        let outputs = outputs(&config).unwrap();
        let [
            OutputConfig {
                name,
                target: Target::Webhook(options),
                ..
            },
        ] = &outputs[..]
        else {
            panic!("a webhook")
        };
        assert_eq!(name, "webhook-1");
        assert_eq!(
            options.headers,
            [("Authorization".to_owned(), "Bearer canary".to_owned())]
        );
        assert_eq!(options.timeout, Duration::from_secs(3));
        assert!(!format!("{outputs:?}").contains("canary"));
    }

    #[test]
    fn a_terminal_gets_text_and_a_pipe_json() {
        assert_eq!(
            stdout_form(StdoutFormat::Auto, true, true),
            Form::Readable { colour: true }
        );
        assert_eq!(stdout_form(StdoutFormat::Auto, false, false), Form::Json);
    }

    #[test]
    fn what_is_hidden_can_be_extended() {
        assert!(
            alert_context(&config(
                serde_json::json!({"redaction": {"patterns": ["acme-(\\S+)"]}})
            ))
            .is_ok()
        );
        assert!(
            alert_context(&config(
                serde_json::json!({"redaction": {"patterns": ["("]}})
            ))
            .is_err()
        );
    }
}
