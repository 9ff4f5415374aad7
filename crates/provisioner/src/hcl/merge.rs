//! Override files: their blocks replace parts of blocks with the same name.

use hcl_edit::structure::{Block, Body, Structure};

/// Whether two top-level blocks describe the same thing.
pub(super) fn same(a: &Block, b: &Block) -> bool {
    a.ident == b.ident
        && a.labels.len() == b.labels.len()
        && a.labels
            .iter()
            .zip(&b.labels)
            .all(|(a, b)| a.as_str() == b.as_str())
}

/// Applies an override block to its base: attributes replace, nested blocks of a type replace all
/// base blocks of that type, and `locals` merge.
pub(super) fn apply(base: &mut Body, over: &Body) {
    let mut replaced: Vec<String> = Vec::new();
    for structure in over {
        match structure {
            Structure::Attribute(attribute) => {
                base.remove_attribute(attribute.key.as_str());
                base.push(attribute.clone());
            }
            Structure::Block(block) => {
                let kind = block.ident.as_str().to_owned();
                if !replaced.contains(&kind) {
                    base.remove_blocks(&kind);
                    replaced.push(kind);
                }
                base.push(block.clone());
            }
        }
    }
}
