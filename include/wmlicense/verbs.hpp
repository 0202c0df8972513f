/// @file verbs.hpp
/// The objects with background verbs: individualizer, license request, backup restorer, store keeper, revocation agent. Each is
/// made with a callback, or without one where `wait()` or an event queue tells how its verbs end.
#ifndef WMLICENSE_VERBS_HPP
#define WMLICENSE_VERBS_HPP

#include <wmlicense/client.hpp>

namespace wm {
WMLICENSE_VARIANT_BEGIN

namespace detail {

/// A function object that can be told statuses.
template <class Function> using if_callback = std::enable_if_t<std::is_invocable_v<Function &, const status &>>;

} // namespace detail

/// Makes the device's keys and gets the certificate for them. Set prop::user_consent first.
class individualizer : public verb_object<individualizer, wm_individualizer> {
public:
  /// Of its parts.
  explicit individualizer(parts &&made) noexcept : verb_object(std::move(made)) {}
  /// Without a callback.
  explicit individualizer(const client &of) : individualizer(try_create(of).value()) {}
  /// With one, see wm::status_callback.
  template <class Function, class = detail::if_callback<Function>>
  individualizer(const client &of, Function callback)
      : individualizer(try_create(of, detail::callback_of(std::move(callback))).value()) {}
  /// What the constructors do.
  static outcome<individualizer> try_create(const client &of, status_callback callback = nullptr) {
    return make(of, std::move(callback), &wm_create_individualizer);
  }

  /// Individualizes the device. `flags`: 0, which does nothing where it is current, or WM_INDIVIDUALIZE_FORCE.
  outcome<> try_individualize(std::uint32_t flags = 0) {
    return start([&](wm_individualizer *handle) { return wm_individualize(handle, flags); });
  }
  /// The same; throws wm::error where it cannot begin.
  void individualize(std::uint32_t flags = 0) { try_individualize(flags).value(); }
};

/// Acquires licenses from an issuer. Set prop::key_ids or prop::header first.
class license_request : public verb_object<license_request, wm_license_request> {
public:
  /// Of its parts.
  explicit license_request(parts &&made) noexcept : verb_object(std::move(made)) {}
  /// Without a callback.
  explicit license_request(const client &of) : license_request(try_create(of).value()) {}
  /// With one, see wm::status_callback.
  template <class Function, class = detail::if_callback<Function>>
  license_request(const client &of, Function callback)
      : license_request(try_create(of, detail::callback_of(std::move(callback))).value()) {}
  /// What the constructors do.
  static outcome<license_request> try_create(const client &of, status_callback callback = nullptr) {
    return make(of, std::move(callback), &wm_create_license_request);
  }

  /// Acquires what is asked for. `flags`: WM_ACQUIRE_SILENT, or WM_ACQUIRE_NONSILENT where the user may be sent to a page. Only
  /// WM_S_LICENSE_ACQUIRED as the final result means that a license is stored.
  outcome<> try_acquire(std::uint32_t flags = WM_ACQUIRE_SILENT) {
    return start([&](wm_license_request *handle) { return wm_acquire_license(handle, flags); });
  }
  /// The same; throws wm::error where it cannot begin.
  void acquire(std::uint32_t flags = WM_ACQUIRE_SILENT) { try_acquire(flags).value(); }
  /// Waits until the user has acted on the page and the license is stored.
  outcome<> try_monitor() { return start(&wm_monitor_license); }
  /// The same; throws wm::error where it cannot begin.
  void monitor() { try_monitor().value(); }
  /// Renews stored licenses.
  outcome<> try_renew(std::uint32_t flags = WM_ACQUIRE_SILENT) {
    return start([&](wm_license_request *handle) { return wm_renew_licenses(handle, flags); });
  }
  /// The same; throws wm::error where it cannot begin.
  void renew(std::uint32_t flags = WM_ACQUIRE_SILENT) { try_renew(flags).value(); }
  /// Gives up the request that waits for its answer.
  outcome<> try_abandon() { return wm_abandon_acquisition(get()); }
  /// The same; throws wm::error.
  void abandon() { try_abandon().value(); }

  /// The request for the application to carry to the service itself.
  outcome<std::vector<std::uint8_t>> try_challenge() {
    return detail::read_bytes([&](void *buf, std::size_t size, std::size_t *needed) {
      return wm_get_challenge(get(), buf, size, needed);
    });
  }
  /// The same; throws wm::error.
  std::vector<std::uint8_t> challenge() { return try_challenge().value(); }
  /// Where it goes, or the page on which the user acts.
  outcome<std::string> try_license_url() {
    return detail::read_text([&](char *buf, std::size_t size, std::size_t *needed) {
      return wm_get_license_url(get(), buf, size, needed);
    });
  }
  /// The same; throws wm::error.
  std::string license_url() { return try_license_url().value(); }
  /// Takes the service's answer, or licenses that the issuer made for this device: WM_S_LICENSE_ACQUIRED, WM_S_MORE_TO_FETCH,
  /// WM_S_NOTHING_NEW or WM_S_LICENSE_KNOWN.
  outcome<> try_process_response(bytes_view answer) {
    return wm_process_response(get(), answer.data(), answer.size());
  }
  /// The same; throws wm::error, or what a callback threw meanwhile, with which what came is stored all the same. What one threw
  /// in an operation before stays for who waits for that.
  wm_result process_response(bytes_view answer) {
    return telling([&] { return try_process_response(answer); });
  }
};

/// Backs licenses up to a folder and restores them. Set prop::backup_path or prop::restore_path first.
class backup_restorer : public verb_object<backup_restorer, wm_backup_restorer> {
public:
  /// Of its parts.
  explicit backup_restorer(parts &&made) noexcept : verb_object(std::move(made)) {}
  /// Without a callback.
  explicit backup_restorer(const client &of) : backup_restorer(try_create(of).value()) {}
  /// With one, see wm::status_callback.
  template <class Function, class = detail::if_callback<Function>>
  backup_restorer(const client &of, Function callback)
      : backup_restorer(try_create(of, detail::callback_of(std::move(callback))).value()) {}
  /// What the constructors do.
  static outcome<backup_restorer> try_create(const client &of, status_callback callback = nullptr) {
    return make(of, std::move(callback), &wm_create_backup_restorer);
  }

  /// Backs up all licenses that may leave the device. `flags`: 0 or WM_BACKUP_OVERWRITE.
  outcome<> try_backup(std::uint32_t flags = 0) {
    return start([&](wm_backup_restorer *handle) { return wm_backup_licenses(handle, flags); });
  }
  /// The same; throws wm::error where it cannot begin.
  void backup(std::uint32_t flags = 0) { try_backup(flags).value(); }
  /// Restores a backup. `flags`: 0 or WM_RESTORE_INDIVIDUALIZE. WM_S_RESTORE_PARTIAL where something was left out.
  outcome<> try_restore(std::uint32_t flags = 0) {
    return start([&](wm_backup_restorer *handle) { return wm_restore_licenses(handle, flags); });
  }
  /// The same; throws wm::error where it cannot begin.
  void restore(std::uint32_t flags = 0) { try_restore(flags).value(); }
  /// Tells what a restore would do, and does nothing.
  outcome<> try_preview() { return start(&wm_preview_restore); }
  /// The same; throws wm::error where it cannot begin.
  void preview() { try_preview().value(); }
  /// Reads a backup to its end: every byte must be as it was written and signed.
  outcome<> try_verify() { return start(&wm_verify_backup); }
  /// The same; throws wm::error where it cannot begin.
  void verify() { try_verify().value(); }
};

/// Looks after the license store. No verb makes a network call.
class store_keeper : public verb_object<store_keeper, wm_store_keeper> {
public:
  /// Of its parts.
  explicit store_keeper(parts &&made) noexcept : verb_object(std::move(made)) {}
  /// Without a callback.
  explicit store_keeper(const client &of) : store_keeper(try_create(of).value()) {}
  /// With one, see wm::status_callback.
  template <class Function, class = detail::if_callback<Function>>
  store_keeper(const client &of, Function callback)
      : store_keeper(try_create(of, detail::callback_of(std::move(callback))).value()) {}
  /// What the constructors do.
  static outcome<store_keeper> try_create(const client &of, status_callback callback = nullptr) {
    return make(of, std::move(callback), &wm_create_store_keeper);
  }

  /// Checks the whole store. `flags`: 0, or WM_CHECK_REPAIR.
  outcome<> try_check(std::uint32_t flags = 0) {
    return start([&](wm_store_keeper *handle) { return wm_check_store(handle, flags); });
  }
  /// The same; throws wm::error where it cannot begin.
  void check(std::uint32_t flags = 0) { try_check(flags).value(); }
  /// Removes what can never be used again. `flags`: WM_CLEAN_ASYNC, or WM_CLEAN_SYNC, which returns when it is over.
  outcome<> try_clean(std::uint32_t flags = WM_CLEAN_ASYNC) {
    return start([&](wm_store_keeper *handle) { return wm_clean_license_store(handle, flags); },
                 flags == WM_CLEAN_SYNC);
  }
  /// The same; throws wm::error where it cannot begin; where it waits, how it ended, or what a callback threw.
  void clean(std::uint32_t flags = WM_CLEAN_ASYNC) {
    const outcome<> begun = try_clean(flags);
    if (flags == WM_CLEAN_SYNC) finish(begun);
    begun.value();
  }
};

/// Learns which licenses their owner took back, and removes them.
class revocation_agent : public verb_object<revocation_agent, wm_revocation_agent> {
public:
  /// Of its parts.
  explicit revocation_agent(parts &&made) noexcept : verb_object(std::move(made)) {}
  /// Without a callback.
  explicit revocation_agent(const client &of) : revocation_agent(try_create(of).value()) {}
  /// With one, see wm::status_callback.
  template <class Function, class = detail::if_callback<Function>>
  revocation_agent(const client &of, Function callback)
      : revocation_agent(try_create(of, detail::callback_of(std::move(callback))).value()) {}
  /// What the constructors do.
  static outcome<revocation_agent> try_create(const client &of, status_callback callback = nullptr) {
    return make(of, std::move(callback), &wm_create_revocation_agent);
  }

  /// Asks the service and takes what it says, all by itself.
  outcome<> try_refresh() { return start(&wm_refresh_revocations); }
  /// The same; throws wm::error where it cannot begin.
  void refresh() { try_refresh().value(); }
  /// The signed challenge for the application to carry. `machine_id`: none for the device's own ID.
  outcome<std::vector<std::uint8_t>> try_lrb_challenge(bytes_view machine_id = {}) {
    return detail::read_bytes([&](void *buf, std::size_t size, std::size_t *needed) {
      return wm_get_lrb_challenge(get(), machine_id.data(), machine_id.size(), buf, size, needed);
    });
  }
  /// The same; throws wm::error.
  std::vector<std::uint8_t> lrb_challenge(bytes_view machine_id = {}) { return try_lrb_challenge(machine_id).value(); }
  /// Takes a revocation blob; answers the acknowledgement to be sent back.
  outcome<std::vector<std::uint8_t>> try_process_lrb(bytes_view lrb) {
    return detail::read_bytes([&](void *buf, std::size_t size, std::size_t *needed) {
      return wm_process_lrb(get(), lrb.data(), lrb.size(), buf, size, needed);
    });
  }
  /// The same; throws wm::error.
  std::vector<std::uint8_t> process_lrb(bytes_view lrb) { return try_process_lrb(lrb).value(); }
};

WMLICENSE_VARIANT_END
} // namespace wm

#endif
