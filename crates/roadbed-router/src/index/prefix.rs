//! Prefixes: a path-compressed trie over bytes.

mod children;

use core::ops::ControlFlow;

use children::Children;

use super::steps::Meter;
use crate::slab::{Slab, keys};

keys! {
    /// A node of the trie.
    NodeKey,
}

/// A node: some bytes that follow those of its parent.
struct Node<K> {
    label: Box<[u8]>,
    /// What stands under the prefix that ends here.
    key: Option<K>,
    parent: Option<NodeKey>,
    children: Children,
}

/// Patterns that match every URI which begins with them. Every node but the root has a key or several children.
pub(super) struct Prefixes<K> {
    nodes: Slab<NodeKey, Node<K>>,
    root: Option<NodeKey>,
    len: usize,
}

impl<K> Default for Prefixes<K> {
    fn default() -> Self {
        Self { nodes: Slab::new(), root: None, len: 0 }
    }
}

impl<K: Copy> Prefixes<K> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// What stands under `pattern` itself.
    pub(super) fn get(&self, pattern: &[u8]) -> Option<K> {
        self.nodes.get(self.find(pattern)?)?.key
    }

    pub(super) fn insert(&mut self, pattern: &[u8], key: K) -> Option<K> {
        let (mut node, mut rest) = (self.root(), pattern);
        while let Some(&byte) = rest.first() {
            let child = self.nodes.get(node).and_then(|node| node.children.get(byte));
            let Some(child) = child else {
                node = self.add_child(node, byte, rest, Children::None);
                break;
            };
            let label = self.nodes.get(child).map_or(&[][..], |child| &child.label);
            let common = label.iter().zip(rest).take_while(|(one, other)| one == other).count();
            node = if common == label.len() { child } else { self.split(node, child, common) };
            rest = rest.get(common..).unwrap_or_default();
        }
        let replaced = self.nodes.get_mut(node)?.key.replace(key);
        self.len = self.len.saturating_add(usize::from(replaced.is_none()));
        replaced
    }

    pub(super) fn remove(&mut self, pattern: &[u8]) -> Option<K> {
        let node = self.find(pattern)?;
        let removed = self.nodes.get_mut(node)?.key.take()?;
        self.len = self.len.saturating_sub(1);
        self.prune(node);
        Some(removed)
    }

    /// Finds the prefixes of `uri`, the longest first: down as far as the URI leads, and up again.
    pub(super) fn walk<B>(
        &self,
        uri: &[u8],
        meter: &mut impl Meter,
        visit: &mut impl FnMut(K) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let Some(mut node) = self.root.and_then(|root| self.nodes.get(root)) else {
            return ControlFlow::Continue(());
        };
        let mut rest = uri;
        while let Some(child) = rest.first().and_then(|&byte| self.nodes.get(node.children.get(byte)?)) {
            meter.node(child.label.len().min(rest.len()));
            let Some(behind) = rest.strip_prefix(&*child.label) else { break };
            (node, rest) = (child, behind);
        }
        loop {
            if let Some(key) = node.key {
                visit(key)?;
            }
            match node.parent.and_then(|parent| self.nodes.get(parent)) {
                Some(parent) => node = parent,
                None => return ControlFlow::Continue(()),
            }
        }
    }

    fn find(&self, pattern: &[u8]) -> Option<NodeKey> {
        let (mut key, mut rest) = (self.root?, pattern);
        while let Some(&byte) = rest.first() {
            key = self.nodes.get(key)?.children.get(byte)?;
            rest = rest.strip_prefix(&*self.nodes.get(key)?.label)?;
        }
        Some(key)
    }

    fn root(&mut self) -> NodeKey {
        let nodes = &mut self.nodes;
        let empty = || Node { label: Box::default(), key: None, parent: None, children: Children::None };
        *self.root.get_or_insert_with(|| nodes.insert(empty()))
    }

    fn add_child(&mut self, parent: NodeKey, byte: u8, label: &[u8], children: Children) -> NodeKey {
        let node = Node { label: label.into(), key: None, parent: Some(parent), children };
        let key = self.nodes.insert(node);
        if let Some(parent) = self.nodes.get_mut(parent) {
            parent.children.set(byte, key);
        }
        key
    }

    /// Puts a node between `parent` and `child`, for the first bytes of the child's label.
    fn split(&mut self, parent: NodeKey, child: NodeKey, common: usize) -> NodeKey {
        let Some(node) = self.nodes.get_mut(child) else { return parent };
        let label = core::mem::take(&mut node.label);
        let (above, below) = label.split_at_checked(common).unwrap_or((&label, &[]));
        let (Some(&first), Some(&second)) = (above.first(), below.first()) else { return parent };
        node.label = below.into();
        let between = self.add_child(parent, first, above, Children::One(second, child));
        if let Some(node) = self.nodes.get_mut(child) {
            node.parent = Some(between);
        }
        between
    }

    /// Takes a node out that has no key and is not needed to tell others apart, and so on upwards.
    fn prune(&mut self, mut key: NodeKey) {
        while let Some(node) = self.nodes.get(key).filter(|node| node.key.is_none()) {
            match (&node.children, node.parent) {
                (Children::None, Some(parent)) => {
                    let byte = node.label.first().copied();
                    self.nodes.remove(key);
                    if let (Some(byte), Some(parent)) = (byte, self.nodes.get_mut(parent)) {
                        parent.children.remove(byte);
                    }
                    key = parent;
                }
                (Children::None, None) => {
                    self.nodes.remove(key);
                    self.root = None;
                }
                (&Children::One(_, child), Some(parent)) => return self.join(parent, key, child),
                _ => return,
            }
        }
    }

    /// Takes the node `key` out, whose only child gets its label in front of its own.
    fn join(&mut self, parent: NodeKey, key: NodeKey, child: NodeKey) {
        let Some(node) = self.nodes.remove(key) else { return };
        if let Some(child) = self.nodes.get_mut(child) {
            child.label = [&*node.label, &*child.label].concat().into();
            child.parent = Some(parent);
        }
        if let (Some(&byte), Some(parent)) = (node.label.first(), self.nodes.get_mut(parent)) {
            parent.children.set(byte, child);
        }
    }

    /// Nodes there are.
    #[cfg(test)]
    pub(super) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Slots for nodes that are allocated.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.nodes.capacity()
    }
}
