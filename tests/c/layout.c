/* layout.c: sizes and offsets of every struct of the header on 64-bit systems, where a program that was built against an earlier
 * header finds them. A field may only be added at the end of a struct that begins with struct_size. Nothing runs here: what does
 * not hold does not compile. tests/repository/layout.rs reads the same list for Rust. */
#include "common.h"

#include <stddef.h>

#define SIZE(type, size) _Static_assert(sizeof(type) == (size), "size of " #type)
#define FIELD(type, field, offset, size) \
  _Static_assert(offsetof(type, field) == (offset) && sizeof(((type *)NULL)->field) == (size), #type "." #field)

SIZE(wm_error_info, 616);
FIELD(wm_error_info, struct_size, 0, 8);
FIELD(wm_error_info, result, 8, 4);
FIELD(wm_error_info, category, 12, 4);
FIELD(wm_error_info, remedy, 16, 4);
FIELD(wm_error_info, retryable, 20, 4);
FIELD(wm_error_info, retry_after_ms, 24, 8);
FIELD(wm_error_info, http_status, 32, 4);
FIELD(wm_error_info, server_code, 36, 4);
FIELD(wm_error_info, has_kid, 40, 4);
FIELD(wm_error_info, kid, 44, 16);
FIELD(wm_error_info, request_id, 60, 40);
FIELD(wm_error_info, message, 100, 512);

SIZE(wm_license_state, 88);
FIELD(wm_license_state, struct_size, 0, 8);
FIELD(wm_license_state, category, 8, 4);
FIELD(wm_license_state, count_count, 12, 4);
FIELD(wm_license_state, counts, 16, 16);
FIELD(wm_license_state, date_count, 32, 4);
FIELD(wm_license_state, dates, 40, 32);
FIELD(wm_license_state, seconds_after_first_use, 72, 8);
FIELD(wm_license_state, vague, 80, 4);

SIZE(wm_subsample, 8);
FIELD(wm_subsample, clear, 0, 4);
FIELD(wm_subsample, encrypted, 4, 4);

SIZE(wm_sample, 56);
FIELD(wm_sample, struct_size, 0, 8);
FIELD(wm_sample, iv, 8, 8);
FIELD(wm_sample, iv_size, 16, 8);
FIELD(wm_sample, subsamples, 24, 8);
FIELD(wm_sample, subsample_count, 32, 8);
FIELD(wm_sample, crypt_byte_block, 40, 4);
FIELD(wm_sample, skip_byte_block, 44, 4);
FIELD(wm_sample, scheme, 48, 4);

SIZE(wm_event, 56);
FIELD(wm_event, struct_size, 0, 8);
FIELD(wm_event, object, 8, 8);
FIELD(wm_event, context, 16, 8);
FIELD(wm_event, status, 24, 4);
FIELD(wm_event, result, 28, 4);
FIELD(wm_event, type, 32, 4);
FIELD(wm_event, value, 40, 8);
FIELD(wm_event, size, 48, 8);

SIZE(wm_http_header, 16);
FIELD(wm_http_header, name, 0, 8);
FIELD(wm_http_header, value, 8, 8);

SIZE(wm_http_request, 72);
FIELD(wm_http_request, struct_size, 0, 8);
FIELD(wm_http_request, method, 8, 8);
FIELD(wm_http_request, url, 16, 8);
FIELD(wm_http_request, headers, 24, 8);
FIELD(wm_http_request, header_count, 32, 8);
FIELD(wm_http_request, body, 40, 8);
FIELD(wm_http_request, body_size, 48, 8);
FIELD(wm_http_request, timeout_ms, 56, 4);
FIELD(wm_http_request, max_body_size, 64, 8);

SIZE(wm_transport, 24);
FIELD(wm_transport, struct_size, 0, 8);
FIELD(wm_transport, send, 8, 8);
FIELD(wm_transport, context, 16, 8);

SIZE(wm_progress, 24);
FIELD(wm_progress, struct_size, 0, 8);
FIELD(wm_progress, done, 8, 8);
FIELD(wm_progress, total, 16, 8);

SIZE(wm_network_progress, 304);
FIELD(wm_network_progress, struct_size, 0, 8);
FIELD(wm_network_progress, http_phase, 8, 4);
FIELD(wm_network_progress, attempt, 12, 4);
FIELD(wm_network_progress, attempts, 16, 4);
FIELD(wm_network_progress, reserved, 20, 4);
FIELD(wm_network_progress, bytes, 24, 8);
FIELD(wm_network_progress, bytes_total, 32, 8);
FIELD(wm_network_progress, next_try_ms, 40, 8);
FIELD(wm_network_progress, host, 48, 256);

SIZE(wm_restore_verdict, 288);
FIELD(wm_restore_verdict, struct_size, 0, 8);
FIELD(wm_restore_verdict, kid, 8, 16);
FIELD(wm_restore_verdict, devices_used, 24, 4);
FIELD(wm_restore_verdict, devices_limit, 28, 4);
FIELD(wm_restore_verdict, title, 32, 256);

SIZE(wm_section_closed, 280);
FIELD(wm_section_closed, struct_size, 0, 8);
FIELD(wm_section_closed, sections, 8, 4);
FIELD(wm_section_closed, reserved, 12, 4);
FIELD(wm_section_closed, bytes, 16, 8);
FIELD(wm_section_closed, url, 24, 256);

SIZE(wm_individualize_progress, 40);
FIELD(wm_individualize_progress, struct_size, 0, 8);
FIELD(wm_individualize_progress, result, 8, 4);
FIELD(wm_individualize_progress, phase, 12, 4);
FIELD(wm_individualize_progress, requests, 16, 4);
FIELD(wm_individualize_progress, http_phase, 20, 4);
FIELD(wm_individualize_progress, bytes, 24, 8);
FIELD(wm_individualize_progress, bytes_total, 32, 8);

int main(void) { return 0; }
