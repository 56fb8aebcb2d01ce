//! Conditions on connections, by the fields that stand for both ends or for several names.

use std::sync::Arc;

use vigia_event::captured::What;
use vigia_event::names::DomainNames;
use vigia_event::socket::{Protocol, Role, Socket};
use vigia_event::{Descriptor, Event};

use super::{event, judge};
use crate::program::Truth;

fn connect(protocol: Protocol) -> Event {
    let at = |text: &str| Some(text.parse().expect("an address"));
    let socket = Socket::inet(
        protocol,
        Role::Client,
        at("10.0.0.1:40000"),
        at("192.0.2.7:443"),
    );
    let mut event = event("connect", -115, "");
    if let What::Call(call) = &mut event.captured.what {
        call.descriptor = Some(Descriptor::from(Socket {
            connected: true,
            ..socket
        }));
        call.args[0] = 7;
    }
    event
}

#[test]
fn a_connection_is_judged_by_either_end() {
    let event = connect(Protocol::Tcp);
    for (condition, expected) in [
        ("fd.ip = 10.0.0.1", true),
        ("fd.ip = 192.0.2.7", true),
        ("fd.ip = 192.0.2.8", false),
        ("fd.ip != 192.0.2.7", false),
        ("fd.ip != 192.0.2.8", true),
        ("fd.ip in (1.2.3.4, 10.0.0.1)", true),
        (r#"fd.net in ("172.16.0.0/12", "192.0.2.0/24")"#, true),
        (r#"fd.net != "10.0.0.0/8""#, false),
        (r#"fd.net != "172.16.0.0/12""#, true),
        (r#"fd.snet in ("192.0.2.0/24")"#, true),
        (r#"fd.cnet = "192.0.2.0/24""#, false),
        ("fd.port = https", true),
        ("fd.port = 40000", true),
        ("fd.port != 443", false),
        ("fd.port < 1024", true),
        ("fd.sport = 443", true),
        (
            "fd.l4proto in (tcp, udp) and fd.typechar = 4 and fd.connected = true",
            true,
        ),
        (
            "evt.type = connect and evt.rawres < 0 and evt.res = EINPROGRESS",
            true,
        ),
        (r#"evt.arg.fd = "<4t>10.0.0.1:40000->192.0.2.7:443""#, true),
        ("evt.arg.fd = 7", true),
        ("evt.arg.fd != 7", false),
        ("evt.arg.fd != 8", true),
        ("evt.rawarg.fd = 7", true),
        (r#"fd.name endswith ":443""#, true),
    ] {
        let expected = if expected { Truth::True } else { Truth::False };
        assert_eq!(judge(condition, &event), expected, "{condition}");
    }
}

#[test]
fn what_is_no_connection_has_no_addresses_to_differ() {
    let event = event("openat", 3, "");
    for condition in [
        "fd.ip = 10.0.0.1",
        "fd.ip != 10.0.0.1",
        r#"fd.net != "10.0.0.0/8""#,
        "fd.port != 80",
        "fd.sip.name != a.test",
        "fd.l4proto exists",
    ] {
        assert_eq!(judge(condition, &event), Truth::False, "{condition}");
    }
}

#[test]
fn names_are_unknown_until_all_are_answered() {
    let mut event = connect(Protocol::Tcp);
    let mut names = DomainNames::pending(["a.test", "b.test"].map(str::to_owned));
    names.answer("a.test", ["192.0.2.7".parse().expect("an address")]);
    event.domain_names = Arc::new(names.clone());
    assert_eq!(judge("fd.sip.name = a.test", &event), Truth::Unknown);
    names.answer("b.test", []);
    event.domain_names = Arc::new(names);
    for (condition, expected) in [
        ("fd.sip.name = a.test", true),
        ("fd.sip.name in (b.test, a.test)", true),
        ("fd.sip.name = b.test", false),
        ("fd.sip.name != a.test", false),
        ("fd.sip.name != b.test", true),
        ("fd.cip.name != a.test", true),
        ("not fd.sip.name in (a.test)", false),
    ] {
        let expected = if expected { Truth::True } else { Truth::False };
        assert_eq!(judge(condition, &event), expected, "{condition}");
    }
}
