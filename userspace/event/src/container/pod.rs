//! Pods of Kubernetes: which one a container belongs to.

use std::collections::BTreeMap;

use bstr::BString;

/// The label with the name of a container's pod, by whoever made it for Kubernetes.
pub const POD_NAME: &str = "io.kubernetes.pod.name";
/// The label with the pod's namespace.
pub const POD_NAMESPACE: &str = "io.kubernetes.pod.namespace";
/// The label with the pod's uid.
pub const POD_UID: &str = "io.kubernetes.pod.uid";
/// The label with the id of the pod's sandbox: the container that holds its namespaces.
pub const SANDBOX_ID: &str = "io.kubernetes.sandbox.id";

/// What Kubernetes says of a container, from its labels.
#[derive(Clone, Copy, Debug)]
pub struct Pod<'a> {
    pub(super) labels: &'a BTreeMap<String, BString>,
}

impl<'a> Pod<'a> {
    /// The pod's name.
    #[must_use]
    pub fn name(self) -> Option<&'a BString> {
        self.labels.get(POD_NAME)
    }

    /// Its namespace.
    #[must_use]
    pub fn namespace(self) -> Option<&'a BString> {
        self.labels.get(POD_NAMESPACE)
    }

    /// Its uid.
    #[must_use]
    pub fn uid(self) -> Option<&'a BString> {
        self.labels.get(POD_UID)
    }

    /// The id of its sandbox.
    #[must_use]
    pub fn sandbox_id(self) -> Option<&'a BString> {
        self.labels.get(SANDBOX_ID)
    }
}
