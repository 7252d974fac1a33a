//! What a writer wants done to its file.

/// Bytes for the end of the file, and better ones for what is there already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Output {
    /// Goes to the end of the file, before the patches are made.
    pub append: Vec<u8>,
    /// Overwrite bytes that have been appended, here or earlier. The file plays without them.
    pub patches: Vec<Patch>,
}

/// Bytes that replace as many others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Of the first byte, from the start of the file.
    pub offset: u64,
    /// What stands there from now on.
    pub bytes: Vec<u8>,
}

impl Output {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.append.is_empty() && self.patches.is_empty()
    }

    /// Does it to a file in memory, in which everything before has been done.
    pub fn apply(self, file: &mut Vec<u8>) {
        file.extend_from_slice(&self.append);
        for Patch { offset, bytes } in self.patches {
            let place = usize::try_from(offset).ok().and_then(|start| {
                let end = start.checked_add(bytes.len())?;
                file.get_mut(start..end)
            });
            if let Some(place) = place {
                place.copy_from_slice(&bytes);
            }
        }
    }
}
