//! Loads the eBPF probes and decodes what they send
