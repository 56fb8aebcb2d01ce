//! Where the running kernel keeps the structure members that the probes read.
//!
//! The kernel describes its own types in `/sys/kernel/btf/vmlinux`; each row of [`vigia_abi::offsets::OFFSETS`]
//! is looked up there when the probes are loaded. Members move into anonymous unions, become `const` and change
//! their names from one release to the next: all of that is followed here, and nothing is guessed.

use std::path::PathBuf;

use btf_rs::{Btf, BtfType, Struct, Type};
use vigia_abi::offsets::{ABSENT, ADJACENT, OFFSETS, OffsetRow};

/// Where the kernel describes its own types.
pub(crate) const VMLINUX_BTF: &str = "/sys/kernel/btf/vmlinux";

/// Types nest this deep at most; more is a description that refers to itself.
const MAX_DEPTH: usize = 16;

/// Why the probes cannot be fitted to this kernel.
#[derive(Debug, thiserror::Error)]
pub enum OffsetError {
    /// The kernel does not describe its types.
    #[error("this kernel has no type information at {path} (CONFIG_DEBUG_INFO_BTF)")]
    NoBtf {
        /// Where it should be.
        path: PathBuf,
        /// What reading it answered.
        #[source]
        source: Box<btf_rs::Error>,
    },
    /// A structure has no such member.
    #[error("this kernel's struct {structure} has no member {members}")]
    Missing {
        /// The structure.
        structure: &'static str,
        /// Every name the member has had.
        members: String,
    },
    /// Members that the probes read at once do not lie side by side.
    #[error("this kernel's {members} do not lie side by side")]
    NotAdjacent {
        /// The members.
        members: String,
    },
}

/// The running kernel's types.
pub(crate) struct KernelTypes {
    btf: Btf,
}

impl KernelTypes {
    pub(crate) fn read() -> Result<Self, OffsetError> {
        let no_btf = |source| OffsetError::NoBtf {
            path: VMLINUX_BTF.into(),
            source: Box::new(source),
        };
        Btf::from_file(VMLINUX_BTF)
            .map(|btf| Self { btf })
            .map_err(no_btf)
    }

    /// The offset of a row; `None` where this kernel has no such member.
    pub(crate) fn offset(&self, row: &OffsetRow) -> Option<u32> {
        // A name can stand for several structures; forward declarations among them have no members.
        let structures: Vec<Struct> = self
            .named(row.structure)
            .filter_map(|kind| match kind {
                Type::Struct(structure) => Some(structure),
                _ => None,
            })
            .collect();
        row.members.iter().find_map(|path| {
            structures.iter().find_map(|structure| {
                if path.is_empty() {
                    return u32::try_from(structure.size()).ok();
                }
                self.path_offset(structure, path)
            })
        })
    }

    /// Every offset in table order, as the probes want them.
    pub(crate) fn offsets(&self) -> Result<Vec<u32>, OffsetError> {
        let offsets: Vec<u32> = OFFSETS
            .iter()
            .map(|row| match (self.offset(row), row.lost_without) {
                (Some(offset), _) => Ok(offset),
                (None, Some(_)) => Ok(ABSENT),
                (None, None) => Err(OffsetError::Missing {
                    structure: row.structure,
                    members: row.members.join(" or "),
                }),
            })
            .collect::<Result<_, _>>()?;
        for rows in ADJACENT {
            if !is_adjacent(rows.map(|row| offsets.get(row).copied())) {
                let names = rows.map(|row| OFFSETS.get(row).map_or("", |row| row.members[0]));
                return Err(OffsetError::NotAdjacent {
                    members: names.join(", "),
                });
            }
        }
        Ok(offsets)
    }

    /// Whether programs can attach to a tracepoint: it then has a typedef of its probe function.
    pub(crate) fn has_tracepoint(&self, name: &str) -> bool {
        self.tracepoint_parameters(name).is_some()
    }

    /// How many values a tracepoint hands to its programs.
    pub(crate) fn tracepoint_parameters(&self, name: &str) -> Option<usize> {
        Some(self.tracepoint(name)?.len())
    }

    /// Whether a value that a tracepoint hands to its programs is a pointer.
    pub(crate) fn tracepoint_passes_pointer(&self, name: &str, position: usize) -> bool {
        self.tracepoint_type(name, position)
            .is_some_and(|kind| matches!(kind, Type::Ptr(_)))
    }

    /// Whether it is a pointer to a structure of this name.
    pub(crate) fn tracepoint_passes_structure(
        &self,
        name: &str,
        position: usize,
        structure: &str,
    ) -> bool {
        let Some(Type::Ptr(pointer)) = self.tracepoint_type(name, position) else {
            return false;
        };
        let target = self.btf.resolve_chained_type(&pointer).ok();
        matches!(target, Some(Type::Struct(target)) if self.name(&target) == structure)
    }

    fn tracepoint_type(&self, name: &str, position: usize) -> Option<Type> {
        let id = *self.tracepoint(name)?.get(position)?;
        self.btf.resolve_type_by_id(id).ok()
    }

    /// The types of the values that a tracepoint hands to its programs.
    fn tracepoint(&self, name: &str) -> Option<Vec<u32>> {
        self.named(&format!("btf_trace_{name}")).find_map(|kind| {
            let Type::Typedef(typedef) = kind else {
                return None;
            };
            let Type::Ptr(pointer) = self.btf.resolve_chained_type(&typedef).ok()? else {
                return None;
            };
            let Type::FuncProto(prototype) = self.btf.resolve_chained_type(&pointer).ok()? else {
                return None;
            };
            // The first is the kernel's own and is not handed on.
            let own = prototype.parameters.iter().skip(1);
            own.map(|parameter| parameter.get_type_id()).collect()
        })
    }

    /// The value of an enumerator.
    pub(crate) fn enumerator(&self, enumeration: &str, name: &str) -> Option<u32> {
        self.named(enumeration).find_map(|kind| {
            let Type::Enum(kind) = kind else { return None };
            kind.members
                .iter()
                .find(|member| self.name(*member) == name)
                .map(btf_rs::EnumMember::val)
        })
    }

    fn named(&self, name: &str) -> impl Iterator<Item = Type> {
        self.btf
            .resolve_types_by_name(name)
            .unwrap_or_default()
            .into_iter()
    }

    fn name(&self, named: &dyn BtfType) -> String {
        self.btf.resolve_name(named).unwrap_or_default()
    }

    /// Follows `a.b.c` from a structure.
    fn path_offset(&self, structure: &Struct, path: &str) -> Option<u32> {
        let (first, rest) = path
            .split_once('.')
            .map_or((path, None), |(first, rest)| (first, Some(rest)));
        let (offset, kind) = self.member(structure, first, 0)?;
        match (rest, kind) {
            (None, _) => Some(offset),
            (Some(rest), Type::Struct(inner) | Type::Union(inner)) => {
                offset.checked_add(self.path_offset(&inner, rest)?)
            }
            (Some(_), _) => None,
        }
    }

    /// The offset and type of a member, which may lie in an anonymous member.
    fn member(&self, structure: &Struct, name: &str, depth: usize) -> Option<(u32, Type)> {
        if depth > MAX_DEPTH {
            return None;
        }
        structure.members.iter().find_map(|member| {
            let offset = member.bit_offset() / 8;
            let member_name = self.name(member);
            if member_name == name {
                let is_bitfield = member.bitfield_size().is_some_and(|bits| bits != 0);
                return (!is_bitfield).then(|| Some((offset, self.stripped(member)?)))?;
            }
            if !member_name.is_empty() {
                return None;
            }
            let (Type::Struct(inner) | Type::Union(inner)) = self.stripped(member)? else {
                return None;
            };
            let (inner_offset, kind) = self.member(&inner, name, depth + 1)?;
            Some((offset.checked_add(inner_offset)?, kind))
        })
    }

    /// The type of a member without typedefs and qualifiers.
    fn stripped(&self, member: &dyn BtfType) -> Option<Type> {
        let mut kind = self.btf.resolve_type_by_id(member.get_type_id()?).ok()?;
        for _ in 0..MAX_DEPTH {
            let next: &dyn BtfType = match &kind {
                Type::Typedef(inner) => inner,
                Type::Const(inner) => inner,
                Type::Volatile(inner) => inner,
                Type::Restrict(inner) => inner,
                Type::TypeTag(inner) => inner,
                _ => return Some(kind),
            };
            kind = self.btf.resolve_type_by_id(next.get_type_id()?).ok()?;
        }
        None
    }
}

fn is_adjacent(offsets: [Option<u32>; 3]) -> bool {
    let [Some(first), Some(second), Some(third)] = offsets else {
        return false;
    };
    first.checked_add(8) == Some(second) && second.checked_add(8) == Some(third)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_without_a_gap_are_adjacent() {
        for (offsets, expected) in [
            ([Some(8), Some(16), Some(24)], true),
            ([Some(8), Some(16), Some(32)], false),
            ([Some(8), None, Some(24)], false),
            ([Some(u32::MAX), Some(7), Some(15)], false),
        ] {
            assert_eq!(is_adjacent(offsets), expected, "{offsets:?}");
        }
    }

    #[test]
    fn the_running_kernel_has_every_member_or_says_that_it_has_no_btf() {
        let types = match KernelTypes::read() {
            Ok(types) => types,
            Err(error) => {
                assert!(error.to_string().contains("type information"), "{error}");
                return;
            }
        };
        let offsets = types.offsets().unwrap();
        assert_eq!(offsets.len(), OFFSETS.len());
        assert!(types.has_tracepoint("sys_exit"));
        assert!(!types.has_tracepoint("no_such_tracepoint"));
        assert_eq!(types.tracepoint_parameters("sys_exit"), Some(2));
        assert!(
            types
                .enumerator("cgroup_subsys_id", "no_such_controller")
                .is_none()
        );
        let missing = OffsetRow {
            structure: "task_struct",
            members: &["no_such_member"],
            lost_without: None,
        };
        assert_eq!(types.offset(&missing), None);
    }
}
