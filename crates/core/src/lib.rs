//! The license client behind the C ABI and the command line: device, store, rights, acquire, backup, restore, decrypt.
#![forbid(unsafe_code)]
