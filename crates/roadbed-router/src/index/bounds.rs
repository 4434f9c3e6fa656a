//! Why a pattern is not taken in.

/// A limit that a pattern would exceed. The text names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverBound {
    /// It has too many components.
    #[error("the pattern has {found} components, the limit pattern_components is {limit}")]
    Components { found: usize, limit: usize },
    /// Too many of its components are empty.
    #[error("the pattern has {found} wildcards, the limit pattern_wildcards is {limit}")]
    Wildcards { found: usize, limit: usize },
    /// Patterns of as many components have their wildcards in too many different places.
    #[error(
        "patterns of {components} components have their wildcards in {found} different places, \
         the limit pattern_masks is {limit}"
    )]
    Masks { components: usize, found: usize, limit: usize },
    /// The same, counting the places where only this session has patterns.
    #[error(
        "your patterns of {components} components have their wildcards in {found} places where no one else \
         has them, the limit pattern_masks_alone is {limit}"
    )]
    MasksAlone { components: usize, found: usize, limit: usize },
}
