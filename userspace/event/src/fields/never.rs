//! Names of fields that never have a value here, so that rules which use them load: what they tell is not captured, or
//! has no value in Falco either. Every comparison with them is false.

use crate::value::{Extracted, FieldType};

use super::{ArgumentRule, Availability, FieldRow, Shape, Stability};

macro_rules! never {
    ($( $name:literal $field_type:ident $shape:ident $argument:ident $doc:literal $example:literal )*) => {
        &[ $( FieldRow {
            name: $name,
            field_type: FieldType::$field_type,
            shape: Shape::$shape,
            argument: ArgumentRule::$argument,
            stability: Stability::Stable,
            availability: Availability::Never,
            doc: concat!("Never has a value. ", $doc),
            example: $example,
            extract: |_, _| Extracted::Missing,
        } ),* ]
    };
}

pub(super) static FIELDS: &[FieldRow] = never! {
    "evt.pluginname" Text Single None "For events of plugins." "cloudtrail"
    "evt.plugininfo" Text Single None "For events of plugins." "cloudtrail"
    "evt.asynctype" Text Single None "For events that do not come from the kernel." "container"
    "evt.deltatime" RelTime Single None "The time since the event before, which depends on what else is captured." "10300000"
    "evt.deltatime.s" RelTime Single None "The time since the event before, which depends on what else is captured." "10300000"
    "evt.deltatime.ns" RelTime Single None "The time since the event before, which depends on what else is captured." "10300000"
    "evt.wait_latency" RelTime Single None "How long a call waited is not measured." "10300000"
    "evt.around" Uint Single Name "For searching in captures." "1000"
    "proc.is_exe_writable" Bool Single None "Whether the user could write to the executable is not captured." "false"
    "proc.is_container_liveness_probe" Bool Single None "Probes of Kubernetes are run by the kubelet, which does not mark them." "false"
    "proc.is_container_readiness_probe" Bool Single None "Probes of Kubernetes are run by the kubelet, which does not mark them." "false"
    "proc.fdopencount" Int Single None "Descriptors of a process are not counted." "3"
    "proc.fdlimit" Int Single None "Descriptors of a process are not counted." "3"
    "proc.fdusage" Uint Single None "Descriptors of a process are not counted." "0"
    "proc.vmsize" Uint Single None "Memory use is not captured." "1024"
    "proc.vmrss" Uint Single None "Memory use is not captured." "1024"
    "proc.vmswap" Uint Single None "Memory use is not captured." "1024"
    "thread.vmsize" Uint Single None "Memory use is not captured." "1024"
    "thread.vmrss" Uint Single None "Memory use is not captured." "1024"
    "thread.pfmajor" Uint Single None "Memory use is not captured." "1024"
    "thread.pfminor" Uint Single None "Memory use is not captured." "1024"
    "proc.nthreads" Uint Single None "Threads of a process are not counted." "1"
    "proc.nchilds" Uint Single None "Threads of a process are not counted." "1"
    "thread.cpu" Uint Single None "Use of the processor is not captured." "0"
    "thread.cpu.user" Uint Single None "Use of the processor is not captured." "0"
    "thread.cpu.system" Uint Single None "Use of the processor is not captured." "0"
    "thread.exectime" RelTime Single None "Use of the processor is not captured." "0"
    "thread.totexectime" RelTime Single None "Use of the processor is not captured." "0"
    "proc.stdin.type" Text Single None "Other descriptors of a process are not captured." "ipv4"
    "proc.stdout.type" Text Single None "Other descriptors of a process are not captured." "ipv4"
    "proc.stderr.type" Text Single None "Other descriptors of a process are not captured." "ipv4"
    "proc.stdin.name" Text Single None "Other descriptors of a process are not captured." "/dev/null"
    "proc.stdout.name" Text Single None "Other descriptors of a process are not captured." "/dev/null"
    "proc.stderr.name" Text Single None "Other descriptors of a process are not captured." "/dev/null"
    "fd.types" Text List OptionalIndex "Other descriptors of a process are not captured." "(ipv4,file)"
    "container.healthcheck" Text Single None "Deprecated in Falco, where they have no value either." "NONE"
    "container.liveness_probe" Text Single None "Deprecated in Falco, where they have no value either." "NONE"
    "container.readiness_probe" Text Single None "Deprecated in Falco, where they have no value either." "NONE"
    "container.ip" Text Single None "Addresses of containers are not asked for." "10.0.3.7"
    "k8s.pod.ip" Text Single None "Addresses of containers are not asked for." "10.0.3.7"
    "container.cni.json" Text Single None "Addresses of containers are not asked for." "{}"
    "k8s.pod.cni.json" Text Single None "Addresses of containers are not asked for." "{}"
    "k8s.rc.name" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.rc.id" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.rc.labels" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.rc.label" Text Single Name "Deprecated in Falco, where it has no value either." "web"
    "k8s.rs.name" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.rs.id" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.rs.labels" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.rs.label" Text Single Name "Deprecated in Falco, where it has no value either." "web"
    "k8s.svc.name" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.svc.id" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.svc.labels" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.svc.label" Text Single Name "Deprecated in Falco, where it has no value either." "web"
    "k8s.deployment.name" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.deployment.id" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.deployment.labels" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.deployment.label" Text Single Name "Deprecated in Falco, where it has no value either." "web"
    "k8s.ns.id" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.ns.labels" Text Single None "Deprecated in Falco, where it has no value either." "web"
    "k8s.ns.label" Text Single Name "Deprecated in Falco, where it has no value either." "web"
    "syslog.facility" Uint Single None "Messages to the system log are not read." "3"
    "syslog.severity" Uint Single None "Messages to the system log are not read." "3"
    "syslog.facility.str" Text Single None "Messages to the system log are not read." "daemon"
    "syslog.severity.str" Text Single None "Messages to the system log are not read." "daemon"
    "syslog.message" Text Single None "Messages to the system log are not read." "daemon"
    "fdlist.nums" Text Single None "The descriptors of poll calls are not read." "3,4"
    "fdlist.names" Text Single None "The descriptors of poll calls are not read." "3,4"
    "fdlist.cips" Text Single None "The descriptors of poll calls are not read." "3,4"
    "fdlist.sips" Text Single None "The descriptors of poll calls are not read." "3,4"
    "fdlist.cports" Text Single None "The descriptors of poll calls are not read." "3,4"
    "fdlist.sports" Text Single None "The descriptors of poll calls are not read." "3,4"
};
