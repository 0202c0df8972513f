//! A restore on its way into the store: put aside first, then taken over in one commit.

pub(super) mod putting;
pub(super) mod staging;
pub(super) mod staging_file;
