//! All members of a set of texts with which a value starts, or ends, in one walk.

/// Which end of a value is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Front,
    Back,
}

/// A tree of labels: what stands on the way from the root to a node is a member, or starts one.
#[derive(Debug)]
pub(super) struct Trie<T> {
    end: End,
    nodes: Vec<TrieNode<T>>,
}

#[derive(Debug)]
struct TrieNode<T> {
    /// In the order of the walk: reversed for suffixes.
    label: Box<[u8]>,
    value: Option<T>,
    /// First byte of the child's label, and the child.
    children: Vec<(u8, u32)>,
}

impl<T> Trie<T> {
    pub(super) fn new(end: End) -> Self {
        Self {
            end,
            nodes: vec![TrieNode::new(&[])],
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(&*self.nodes, [root] if root.value.is_none())
    }

    /// The value of a member, to be made where there is none.
    pub(super) fn entry(&mut self, member: &[u8]) -> &mut Option<T> {
        let mut member = member.to_vec();
        if self.end == End::Back {
            member.reverse();
        }
        let mut at = 0;
        let mut rest = &member[..];
        while let Some(&first) = rest.first() {
            let found = self.nodes[at]
                .children
                .iter()
                .find(|(byte, _)| *byte == first);
            let Some(&(_, child)) = found else {
                at = self.push(at, TrieNode::new(rest));
                break;
            };
            let label = &self.nodes[child as usize].label;
            let common = label.iter().zip(rest).take_while(|(a, b)| a == b).count();
            if common < label.len() {
                self.split(child as usize, common);
            }
            at = child as usize;
            rest = &rest[common..];
        }
        &mut self.nodes[at].value
    }

    fn push(&mut self, parent: usize, node: TrieNode<T>) -> usize {
        let child = self.nodes.len();
        let number = u32::try_from(child).expect("rule files are capped far below 2^32 bytes");
        self.nodes[parent].children.push((node.label[0], number));
        self.nodes.push(node);
        child
    }

    /// Cuts a label; the node keeps its start, and a new child gets the rest with all that belonged to it.
    fn split(&mut self, at: usize, length: usize) {
        let node = &mut self.nodes[at];
        let (start, rest) = node.label.split_at(length);
        let (start, rest) = (Box::from(start), Box::from(rest));
        node.label = start;
        let lower = TrieNode {
            label: rest,
            value: node.value.take(),
            children: std::mem::take(&mut node.children),
        };
        self.push(at, lower);
    }

    /// Visits the values of all members with which a text starts (or ends).
    #[inline]
    pub(super) fn visit<'t>(&'t self, text: &[u8], mut each: impl FnMut(&'t T)) {
        let mut at = &self.nodes[0];
        let mut rest = text;
        loop {
            if let Some(value) = &at.value {
                each(value);
            }
            let next = match self.end {
                End::Front => rest.first(),
                End::Back => rest.last(),
            };
            let Some(&next) = next else { return };
            let Some(&(_, child)) = at.children.iter().find(|(byte, _)| *byte == next) else {
                return;
            };
            at = &self.nodes[child as usize];
            let length = at.label.len();
            if rest.len() < length {
                return;
            }
            let same = match self.end {
                End::Front => {
                    let (start, tail) = rest.split_at(length);
                    rest = tail;
                    start == &*at.label
                }
                End::Back => {
                    let (head, end) = rest.split_at(rest.len() - length);
                    rest = head;
                    end.iter().rev().eq(at.label.iter())
                }
            };
            if !same {
                return;
            }
        }
    }
}

impl<T> TrieNode<T> {
    fn new(label: &[u8]) -> Self {
        Self {
            label: label.into(),
            value: None,
            children: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_meets_every_member_with_which_a_value_starts_or_ends() {
        let words = [
            "", "a", "ab", "abc", "abd", "b", "/etc", "/etc/", "/etc/ssh", "/usr/bin", "zz",
        ];
        let values = [
            "",
            "a",
            "abd",
            "abcd",
            "ba",
            "cab",
            "/etc/ssh/x",
            "/etcx",
            "/usr",
            "xzz",
            "zzz",
            "a/etc",
        ];
        for chosen in 0..1_u32 << words.len() {
            let members = || {
                let numbered = words.iter().enumerate();
                numbered
                    .filter(|(at, _)| chosen & 1 << at != 0)
                    .map(|(_, word)| *word)
            };
            let (mut starts, mut ends) = (Trie::new(End::Front), Trie::new(End::Back));
            for member in members() {
                *starts.entry(member.as_bytes()) = Some(member);
                *ends.entry(member.as_bytes()) = Some(member);
            }
            assert_eq!(starts.is_empty(), chosen == 0);
            for value in values {
                let met = |trie: &Trie<&'static str>| {
                    let mut met = Vec::new();
                    trie.visit(value.as_bytes(), |member| met.push(*member));
                    met.sort_unstable();
                    met
                };
                let sorted = |test: &dyn Fn(&str) -> bool| {
                    let mut found: Vec<&str> = members().filter(|member| test(member)).collect();
                    found.sort_unstable();
                    found
                };
                assert_eq!(
                    met(&starts),
                    sorted(&|member| value.starts_with(member)),
                    "{value}"
                );
                assert_eq!(
                    met(&ends),
                    sorted(&|member| value.ends_with(member)),
                    "{value}"
                );
            }
        }
    }
}
