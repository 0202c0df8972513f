//! Phases of an individualization and of a request, as numbers of the header.

use crate::lists::numbers;
use wmlicense_core::event::{HttpPhase, IndividualizePhase};

numbers! {
    /// Phases in wm_individualize_progress.
    INDIVIDUALIZE_PHASES = "WM_INDIVIDUALIZE_": u32;
    BEGIN = 0x1, "the device's keys are being made";
    SUCCEED = 0x2, "over: the device has its certificate";
    FAIL = 0x4, "over: the result says why not";
    CANCEL = 0x8, "over: it was cancelled";
    DOWNLOAD = 0x10, "the service is being asked";
    INSTALL = 0x20, "the certificate is being stored";
}

numbers! {
    /// Phases of one HTTP request.
    HTTP_PHASES = "WM_HTTP_": u32;
    NOTINITIATED = 0, "no request yet, or the next attempt is waited for";
    CONNECTING = 1, "connecting";
    REQUESTING = 2, "sending the request and waiting";
    RECEIVING = 3, "receiving the answer";
    COMPLETED = 4, "received";
}

pub(super) fn of_individualization(phase: IndividualizePhase) -> u32 {
    match phase {
        IndividualizePhase::Begin => BEGIN,
        IndividualizePhase::Download => DOWNLOAD,
        IndividualizePhase::Install => INSTALL,
        IndividualizePhase::Succeed => SUCCEED,
    }
}

pub(super) fn of_request(phase: HttpPhase) -> u32 {
    match phase {
        HttpPhase::NotInitiated => NOTINITIATED,
        HttpPhase::Connecting => CONNECTING,
        HttpPhase::Requesting => REQUESTING,
        HttpPhase::Receiving => RECEIVING,
        HttpPhase::Completed => COMPLETED,
    }
}
