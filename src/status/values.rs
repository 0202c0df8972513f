//! The structs that come with statuses.

use crate::result::wm_result;
use std::ffi::c_char;

/// Value of WM_STATUS_PROGRESS.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_progress {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// Done so far: licenses, or bytes of the backup while a restore reads it on the device that made it.
    pub done: u64,
    /// The same in all; 0 if unknown.
    pub total: u64,
}

/// Value of WM_STATUS_INDIVIDUALIZE.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_individualize_progress {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// 0 while it goes on, then the final result.
    pub result: wm_result,
    /// WM_INDIVIDUALIZE_*.
    pub phase: u32,
    /// Requests completed.
    pub requests: u32,
    /// WM_HTTP_*: phase of the request under way.
    pub http_phase: u32,
    /// Bytes of the answer received.
    pub bytes: u64,
    /// Bytes of the answer in all; 0 if unknown.
    pub bytes_total: u64,
}

/// Value of WM_STATUS_NETWORK: one request, of which a verb may make several, and the attempts at it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_network_progress {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// WM_HTTP_*: phase of the attempt under way; WM_HTTP_NOTINITIATED while the next one is waited for.
    pub http_phase: u32,
    /// Which attempt, from 1 on; while the next one is waited for, the one that failed.
    pub attempt: u32,
    /// Attempts at most, as WM_PROP_RETRY_LIMIT allows; 0: no limit.
    pub attempts: u32,
    /// 0.
    pub reserved: u32,
    /// Bytes of the answer received.
    pub bytes: u64,
    /// Bytes of the answer in all; 0 if unknown.
    pub bytes_total: u64,
    /// Milliseconds until the next attempt, counted from this status; 0: none waits.
    pub next_try_ms: u64,
    /// Host that is asked, without a port; cut at the end if it is too long.
    pub host: [c_char; 256],
}

/// Value of WM_STATUS_RESTORE_VERDICT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_restore_verdict {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// Key ID of the license.
    pub kid: [u8; 16],
    /// Devices that hold the license, the one it was issued to included; 0 where the service need not be asked.
    pub devices_used: u32,
    /// Devices that may hold it in all; 0 where the service need not be asked.
    pub devices_limit: u32,
    /// Title, UTF-8, cut at the end if it is too long; empty if there is none.
    pub title: [c_char; 256],
}

/// Value of WM_STATUS_SECTION_CLOSED: the sections of a backup that stay closed for one reason. What they hold is not known.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct wm_section_closed {
    /// Size of this struct as the library knows it, in bytes.
    pub struct_size: usize,
    /// How many sections.
    pub sections: u32,
    /// 0.
    pub reserved: u32,
    /// Bytes of the backup in them.
    pub bytes: u64,
    /// Page of the service that helps, UTF-8; empty if it named none that fits.
    pub url: [c_char; 256],
}
