//! What the table of handles and the event queue synchronize with. `crates/models` compiles the same files against the
//! types of a model checker, which have these names there.

pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, RwLock};
