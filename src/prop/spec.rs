//! What a property is: by what C knows it, who may do what with it, and what the library makes of its value.

use super::Type;
use std::any::Any;
use std::sync::Arc;

/// Who may do what with a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read and set.
    Settable,
    /// Set until the object is open or has begun, read always.
    FixedOnceBegun,
    /// Set only.
    WriteOnly,
    /// Read only.
    ReadOnly,
}

/// By what C knows a property. One that can only be read is no more than this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// Name.
    pub(crate) name: &'static str,
    /// Type.
    pub(crate) kind: Type,
}

/// A property that can be set: `T` is what the library makes of a value, once, when it is set.
pub(crate) struct Prop<T> {
    key: Key,
    access: Access,
    parse: fn(&[u8]) -> Result<T, &'static str>,
}

impl<T> Prop<T> {
    /// `parse` gets bytes that are right for the type, and says what is wrong with them.
    pub(crate) const fn new(key: Key, access: Access, parse: fn(&[u8]) -> Result<T, &'static str>) -> Self {
        Self { key, access, parse }
    }

    /// By what C knows it.
    pub(crate) const fn key(&self) -> Key {
        self.key
    }
}

/// What the library made of a value: the `T` of a [`Prop`].
pub(crate) type Parsed = Arc<dyn Any + Send + Sync>;

/// A property among those of an object.
pub(crate) trait Spec: Sync {
    /// By what C knows it.
    fn key(&self) -> Key;
    /// Who may do what.
    fn access(&self) -> Access;
    /// What the library makes of a value, or what is wrong with it; `None` for a property that can only be read.
    fn parse(&self, bytes: &[u8]) -> Option<Result<Parsed, &'static str>>;
}

/// The properties of a kind of object.
pub(crate) type Specs = &'static [&'static dyn Spec];

impl Spec for Key {
    fn key(&self) -> Key {
        *self
    }

    fn access(&self) -> Access {
        Access::ReadOnly
    }

    fn parse(&self, _: &[u8]) -> Option<Result<Parsed, &'static str>> {
        None
    }
}

impl<T: Send + Sync + 'static> Spec for Prop<T> {
    fn key(&self) -> Key {
        self.key
    }

    fn access(&self) -> Access {
        self.access
    }

    fn parse(&self, bytes: &[u8]) -> Option<Result<Parsed, &'static str>> {
        Some((self.parse)(bytes).map(|parsed| Arc::new(parsed) as Parsed))
    }
}
