//! The programs of the object: loaded one by one, each onto the tracepoint that this kernel has, and attached.

use aya::programs::{BtfTracePoint, ProgramError};
use aya::{Btf, Ebpf};
use vigia_abi::maps::{ATTACHED, CALL_STAGES, EXEC_STAGES, RING_STAGES, SECOND_DISPATCHER};

use super::{DISPENSABLE, LoadError, ON_DEMAND, ProgramResult};
use crate::offsets::KernelTypes;

/// The tracepoint of submissions to io_uring was named otherwise before Linux 6.4.
const FORMER_SUBMISSION: &str = "io_uring_submit_sqe";
/// Attaches what was loaded, in an order in which nothing is seen before what it depends on.
pub(crate) fn attach(
    bpf: &mut Ebpf,
    mut programs: Vec<ProgramResult>,
) -> Result<Vec<ProgramResult>, LoadError> {
    for result in &mut programs {
        let is_attached = ATTACHED
            .iter()
            .any(|(program, _)| *program == result.program);
        if is_attached && result.program != ON_DEMAND && result.refused.is_none() {
            attach_one(bpf, result)?;
        }
    }
    Ok(programs)
}

/// Attaches what runs only where somebody needs it.
pub(crate) fn attach_on_demand(
    bpf: &mut Ebpf,
    programs: &mut [ProgramResult],
) -> Result<(), LoadError> {
    programs
        .iter_mut()
        .filter(|result| result.program == ON_DEMAND && result.refused.is_none())
        .try_for_each(|result| attach_one(bpf, result))
}

fn attach_one(bpf: &mut Ebpf, result: &mut ProgramResult) -> Result<(), LoadError> {
    let attached =
        tracepoint_program(bpf, result.program).and_then(|program| program.attach().map(drop));
    if let Err(error) = attached {
        if !DISPENSABLE.contains(&result.program) {
            return Err(LoadError::Program {
                program: result.program,
                reason: reason(&error),
            });
        }
        result.refused = Some(reason(&error));
        // What does not run must not look as if it did.
        if let Ok(program) = tracepoint_program(bpf, result.program) {
            drop(program.unload());
        }
    }
    Ok(())
}

pub(super) fn load_programs(
    bpf: &mut Ebpf,
    dispatchers: u32,
    btf: &Btf,
    types: &KernelTypes,
) -> Vec<ProgramResult> {
    let attached = ATTACHED
        .into_iter()
        .filter(|&(program, _)| dispatchers > 1 || program != SECOND_DISPATCHER);
    let call_stages = CALL_STAGES
        .iter()
        .map(|&(_, program)| (program, "sys_exit"));
    let exec_stages = EXEC_STAGES
        .iter()
        .map(|&(_, program)| (program, "sched_process_exec"));
    let ring_stages = RING_STAGES
        .iter()
        .map(|&(_, program)| (program, "io_uring_complete"));
    attached
        .chain(call_stages)
        .chain(exec_stages)
        .chain(ring_stages)
        .map(|(program, tracepoint)| {
            let found = tracepoint_of(tracepoint, types);
            let refused = match found {
                Ok(tracepoint) => tracepoint_program(bpf, program)
                    .and_then(|program| program.load(tracepoint, btf))
                    .err()
                    .map(|error| reason(&error)),
                Err(missing) => Some(missing.to_owned()),
            };
            ProgramResult {
                program,
                tracepoint: found.unwrap_or(tracepoint),
                refused,
            }
        })
        .collect()
}

/// The name of a tracepoint in this kernel, or why there is none that hands on what the probes need.
fn tracepoint_of(
    tracepoint: &'static str,
    types: &KernelTypes,
) -> Result<&'static str, &'static str> {
    let hands_on_requests =
        |name: &str, position: usize| types.tracepoint_passes_pointer(name, position);
    match tracepoint {
        "io_uring_submit_req" => [tracepoint, FORMER_SUBMISSION]
            .into_iter()
            .find(|name| types.tracepoint_passes_structure(name, 0, "io_kiocb"))
            .ok_or("this kernel does not tell which request is submitted (Linux 6.1 does)"),
        "io_uring_complete" if !hands_on_requests(tracepoint, 1) => {
            Err("this kernel does not tell which request is completed (Linux 6.1 does)")
        }
        _ => Ok(tracepoint),
    }
}

fn tracepoint_program<'b>(
    bpf: &'b mut Ebpf,
    name: &str,
) -> Result<&'b mut BtfTracePoint, ProgramError> {
    let missing = || ProgramError::InvalidName {
        name: name.to_owned(),
    };
    bpf.program_mut(name).ok_or_else(missing)?.try_into()
}

/// What matters of an error: the verifier's log is long, and its verdict stands at the end.
fn reason(error: &ProgramError) -> String {
    const LINES: usize = 4;
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.to_string();
    };
    let log = verifier_log.to_string();
    let mut lines: Vec<&str> = log
        .lines()
        .rev()
        .filter(|line| !line.trim().is_empty())
        .take(LINES)
        .collect();
    lines.reverse();
    if lines.is_empty() {
        io_error.to_string()
    } else {
        format!("{io_error}: {}", lines.join("; "))
    }
}
