//! MP4 (ISO/IEC 14496-12): which tracks are protected and how, and where the samples of a track are.

mod auxiliary;
mod encryption;
mod fragment;
mod groups;
mod hidden;
mod movie;
mod piff;
mod progressive;
mod reader;

pub(crate) use groups::group_kids;
pub(crate) use hidden::{Patch, patches};
pub(crate) use movie::Movie;
pub(crate) use piff::PSSH as PIFF_PSSH;
pub(crate) use reader::read_samples;
