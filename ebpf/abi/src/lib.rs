//! Wire format between the eBPF probes and user space
