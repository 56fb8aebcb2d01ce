//! Processes, users, mounts and containers: what an event is enriched from
