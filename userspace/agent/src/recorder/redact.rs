//! What alerts hide, hidden in recordings as well.
//!
//! The structs are taken apart by name: a member that is added to one of them does not compile until somebody
//! has decided whether it may hold a secret.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bstr::BString;
use vigia_alerts::{Phrases, Redactor};
use vigia_event::captured::{Call, Captured, Exec, Fork, GivenPath, Task, What};
use vigia_event::container::{DeclaredMount, Inspected, Promises, PublishedPort, SwarmGrant};
use vigia_event::descriptor::Descriptor;
use vigia_event::mount::{Mount, MountTable};
use vigia_event::process::Script;
use vigia_event::secret::{SecretAccess, SecretRef};
use vigia_event::socket::{Address, UnixEnds};
use vigia_event::users::{User, Users};
use vigia_event::{Event, File, Process};
use vigia_recording::Redact;

/// Processes whose phrases are remembered.
const REMEMBERED: usize = 4096;
/// Ancestors whose phrases are looked for, as in alerts.
const ANCESTORS: usize = 8;

/// The redaction table, applied to events.
pub(super) struct Redacting {
    redactor: Redactor,
    /// By identity; the process is kept beside them, so that nothing else gets its address.
    phrases: HashMap<usize, (Arc<Process>, Arc<Phrases>)>,
}

impl Redacting {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            phrases: HashMap::new(),
        }
    }

    fn phrases_of_process(&mut self, process: &Arc<Process>) -> Arc<Phrases> {
        if self.phrases.len() >= REMEMBERED {
            self.phrases.clear();
        }
        let Self { redactor, phrases } = self;
        let (_, found) = phrases
            .entry(Arc::as_ptr(process).addr())
            .or_insert_with(|| {
                let found = redactor.phrases(&process.task.comm, &process.args, &process.env);
                (Arc::clone(process), Arc::new(found))
            });
        Arc::clone(found)
    }

    /// What an alert about the event would look for.
    fn phrases_of(&mut self, event: &Event) -> Phrases {
        let mut all = Phrases::default();
        for process in std::iter::once(&event.process).chain(event.ancestors.iter().take(ANCESTORS))
        {
            all.extend(Phrases::clone(&self.phrases_of_process(process)));
        }
        all
    }

    /// Text without secrets keeps its bytes, whether or not they are UTF-8.
    fn text(&self, text: &mut BString, phrases: &Phrases) {
        if let Cow::Owned(hidden) = self.redactor.text(&String::from_utf8_lossy(text), phrases) {
            *text = hidden.into();
        }
    }

    fn plain(&self, text: &mut BString) {
        self.text(text, &Phrases::default());
    }

    fn arguments(&self, program: &[u8], args: &mut [BString]) {
        let hidden = self.redactor.arguments(program, args);
        for (arg, hidden) in args.iter_mut().zip(hidden) {
            if let Some(hidden) = hidden {
                *arg = hidden.into();
            }
        }
    }

    /// `NAME=value`: the name may tell that the whole value is a secret.
    fn environment(&self, variables: &mut [BString]) {
        for variable in variables {
            let text = String::from_utf8_lossy(variable);
            let Some((name, value)) = text.split_once('=') else {
                self.plain(variable);
                continue;
            };
            let field = format!("proc.env[{name}]");
            let hidden = self.redactor.field(&field, value, &Phrases::default());
            if hidden != value {
                *variable = format!("{name}={hidden}").into();
            }
        }
    }

    fn list(list: &Arc<[BString]>, change: impl FnOnce(&mut [BString])) -> Arc<[BString]> {
        let mut own = list.to_vec();
        change(&mut own);
        own.into()
    }

    fn task(&self, task: &mut Task, phrases: &Phrases) {
        // Whoever named a thread had 15 bytes for it.
        self.text(&mut task.comm, phrases);
    }

    fn secret_ref(&self, secret: &mut SecretRef) {
        let SecretRef {
            name,
            path,
            kind: _,
            source: _,
            dev: _,
            ino: _,
        } = secret;
        self.plain(name);
        self.plain(path);
    }

    fn call(&self, call: &mut Call, phrases: &Phrases) {
        let Call {
            paths,
            texts,
            texts_truncated: _,
            file,
            descriptor,
            address,
            data,
            data_truncated: _,
            event_type: _,
            result: _,
            args: _,
            open_how: _,
            cwd,
            entry: _,
        } = call;
        for path in paths {
            let GivenPath {
                given,
                changed,
                base,
                truncated: _,
            } = path;
            self.text(given, phrases);
            for other in [changed, base].into_iter().flatten() {
                self.text(other, phrases);
            }
        }
        if let Some(cwd) = cwd {
            self.text(cwd, phrases);
        }
        for text in texts {
            self.text(text, phrases);
        }
        if let Some(file) = file {
            self.text(&mut file.path, phrases);
            if let Some(path) = &mut file.underlying_path {
                self.text(path, phrases);
            }
        }
        match descriptor {
            Some(Descriptor::Object { name, kind: _ }) => self.text(name, phrases),
            Some(Descriptor::Socket(socket)) => {
                if let Some(UnixEnds {
                    path,
                    source: _,
                    destination: _,
                }) = &mut socket.unix
                {
                    self.text(path, phrases);
                }
            }
            None => {}
        }
        if let Some(Address::Unix(path)) = address {
            self.text(path, phrases);
        }
        if let Some(data) = data {
            self.text(data, phrases);
        }
    }

    fn promises(&self, promises: &mut Promises) {
        let Promises {
            user,
            capabilities_added,
            capabilities_dropped,
            seccomp,
            apparmor,
            selinux,
            ports,
            devices,
            tmpfs,
            secret_variables,
            restart_policy,
            no_new_privileges: _,
            memory_limit_bytes: _,
            pids_limit: _,
            cpu_limit_millis: _,
            joined_namespaces: _,
        } = promises;
        for text in [user, seccomp, apparmor, selinux, restart_policy] {
            self.plain(text);
        }
        let lists = [
            capabilities_added,
            capabilities_dropped,
            devices,
            tmpfs,
            secret_variables,
        ];
        for text in lists.into_iter().flatten() {
            self.plain(text);
        }
        for PublishedPort {
            address,
            protocol,
            host_port: _,
            port: _,
        } in ports
        {
            self.plain(address);
            self.plain(protocol);
        }
    }

    fn exec(&self, exec: &mut Exec, phrases: &Phrases) {
        let Exec {
            filename,
            file,
            args,
            env,
            cwd,
            truncated: _,
        } = exec;
        self.text(filename, phrases);
        self.text(&mut file.path, phrases);
        self.text(cwd, phrases);
        if let [program, rest @ ..] = args.as_mut_slice() {
            self.arguments(program, rest);
            self.text(program, phrases);
        }
        self.environment(env);
    }
}

impl Redact for Redacting {
    fn process(&mut self, process: &mut Process) {
        let phrases = self
            .redactor
            .phrases(&process.task.comm, &process.args, &process.env);
        let Process {
            task,
            exe,
            exe_path,
            exe_file: _,
            args,
            env,
            cwd,
            script,
            start_time_ns: _,
            exe_origin: _,
            observed: _,
            truncated: _,
            // Made of the others, by whoever asks.
            lines: _,
        } = process;
        *args = Self::list(args, |args| self.arguments(&task.comm, args));
        *env = Self::list(env, |env| self.environment(env));
        self.task(task, &phrases);
        for text in [exe, exe_path, cwd] {
            self.text(text, &phrases);
        }
        if let Some(Script { path, origin: _ }) = script {
            self.text(path, &phrases);
        }
    }

    fn file(&mut self, file: &mut File) {
        self.plain(&mut file.path);
    }

    fn mounts(&mut self, mounts: &mut MountTable) {
        let MountTable {
            mounts,
            secrets,
            read_ns: _,
        } = mounts;
        for mount in mounts {
            let Mount {
                root,
                point,
                fs_type,
                source,
                id: _,
                parent_id: _,
                dev: _,
                read_only: _,
                kind: _,
                upper: _,
            } = mount;
            for text in [root, point, fs_type, source] {
                self.plain(text);
            }
        }
        for secret in secrets {
            self.secret_ref(secret);
        }
    }

    fn users(&mut self, users: &mut Users) {
        for user in &mut users.users {
            let User {
                name,
                home,
                shell,
                uid: _,
            } = user;
            for text in [name, home, shell] {
                self.plain(text);
            }
        }
        for (_, name) in &mut users.groups {
            self.plain(name);
        }
    }

    fn inspected(&mut self, inspected: &mut Inspected) {
        let Inspected {
            name,
            image,
            image_repository,
            image_tag,
            image_digest,
            image_id,
            // Of files of the operator's, and not recorded.
            image_facts: _,
            labels,
            pod_labels,
            swarm_grants,
            health_check,
            mounts,
            promises,
            privileged: _,
            declared_read_only: _,
            host_namespaces: _,
            health_check_interval_s: _,
            pid: _,
            created_ns: _,
        } = inspected;
        for text in [
            name,
            image,
            image_repository,
            image_tag,
            image_digest,
            image_id,
        ] {
            self.plain(text);
        }
        let labels = labels
            .iter_mut()
            .map(|(label, value)| (format!("container.label.{label}"), value));
        let pod_labels = pod_labels
            .iter_mut()
            .map(|(label, value)| (format!("k8s.pod.label.{label}"), value));
        for (field, value) in labels.chain(pod_labels) {
            let text = String::from_utf8_lossy(value);
            let hidden = self.redactor.field(&field, &text, &Phrases::default());
            if hidden != text {
                *value = hidden.into_owned().into();
            }
        }
        if let [program, rest @ ..] = health_check.as_mut_slice() {
            self.arguments(program, rest);
        }
        for mount in mounts {
            let DeclaredMount {
                source,
                destination,
                mode,
                propagation,
                read_write: _,
            } = mount;
            for text in [source, destination, mode, propagation] {
                self.plain(text);
            }
        }
        for grant in swarm_grants {
            let SwarmGrant {
                name,
                target,
                owner,
                id: _,
                kind: _,
                mode: _,
            } = grant;
            for text in [name, target, owner] {
                self.plain(text);
            }
        }
        self.promises(promises);
    }

    fn captured(&mut self, captured: &mut Captured, event: &Event) {
        let phrases = self.phrases_of(event);
        self.task(&mut captured.task, &phrases);
        match &mut captured.what {
            What::Fork(Fork {
                child,
                is_thread: _,
                call: _,
                flags: _,
            }) => self.task(child, &phrases),
            What::Exec(exec) => self.exec(exec, &phrases),
            What::Rename { comm } => self.text(comm, &phrases),
            What::Call(call) => self.call(call, &phrases),
            What::SecretKey(file) => self.text(&mut file.path, &phrases),
            What::Cgroup(change) => self.plain(&mut change.path),
            What::Exit { .. }
            | What::CompatCall { .. }
            | What::BudgetExceeded { .. }
            | What::Container(_) => {}
        }
    }

    fn secret(&mut self, secret: &mut SecretAccess, event: &Event) {
        let phrases = self.phrases_of(event);
        let SecretAccess {
            secret,
            reader: _,
            reason,
            by_container_mount: _,
        } = secret;
        self.secret_ref(secret);
        if let Cow::Owned(hidden) = self.redactor.text(reason, &phrases) {
            *reason = hidden;
        }
    }
}

#[cfg(test)]
mod tests;
