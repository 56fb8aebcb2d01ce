//! Small events for the tests of this crate.

use std::sync::Arc;

use crate::call::EventType;
use crate::captured::{Call, Captured, Task, What};
use crate::event::{Event, Node, PathSpellings};
use crate::mount::MountTable;
use crate::process::Process;
use crate::users::Users;

/// A system call of a process without a container.
pub(crate) fn call(name: &str, args: [u64; 6], result: i64) -> Event {
    let event_type = EventType::from_name(name).expect("a row");
    let call = Call {
        args,
        ..Call::new(event_type, result)
    };
    event(event_type, What::Call(Box::new(call)))
}

/// Any event of a process without a container.
pub(crate) fn event(event_type: EventType, what: What) -> Event {
    Event {
        number: 1,
        time_ns: 1_000_000_000,
        event_type,
        captured: Captured {
            cpu: 0,
            sequence: 1,
            boot_time_ns: 1,
            in_scope: true,
            is_secret: false,
            task: Task::default(),
            what,
        },
        process: Arc::new(Process::default()),
        ancestors: Arc::from(Vec::new()),
        session_leader: None,
        group_leader: None,
        container: None,
        mounts: Arc::new(MountTable::default()),
        users: Arc::new(Users::default()),
        secret: None,
        node: Arc::new(Node::default()),
        domain_names: Arc::default(),
        paths: PathSpellings::default(),
    }
}
