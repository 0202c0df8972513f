/// @file outcome.hpp
/// What a call answers: its value, or what failed and what helps. Thrown as wm::error, or looked at as a wm::outcome.
#ifndef WMLICENSE_OUTCOME_HPP
#define WMLICENSE_OUTCOME_HPP

#if !defined(__cplusplus) || (__cplusplus < 201703L && (!defined(_MSVC_LANG) || _MSVC_LANG < 201703L))
#error "wmlicense.hpp needs C++17: compile with -std=c++17 or later; a C program includes wmlicense.h"
#endif

#include <wmlicense.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
/// Whether the compiler has exceptions. Without them a failure that nobody looks at ends the process.
#define WMLICENSE_EXCEPTIONS 1
// Units with and without exceptions may be parts of one program, where a function with two bodies would be one that the linker
// chooses. So what is compiled without them has names of its own, which the source never sees.
/// @cond
#define WMLICENSE_VARIANT_BEGIN
#define WMLICENSE_VARIANT_END
/// @endcond
#else
#define WMLICENSE_EXCEPTIONS 0
#define WMLICENSE_VARIANT_BEGIN inline namespace without_exceptions {
#define WMLICENSE_VARIANT_END }
#endif

namespace wm {
WMLICENSE_VARIANT_BEGIN

#ifdef __clang__
#pragma clang diagnostic push
// A library of headers has no unit of its own for the table of a class with virtual functions.
#pragma clang diagnostic ignored "-Wweak-vtables"
#endif

/// A failure. `what()` is the result's name and one English sentence; info() is all that the library tells.
class error : public std::runtime_error {
public:
  /// Of what wm_get_error_info told.
  explicit error(const wm_error_info &info)
      : std::runtime_error(std::string(wm_result_name(info.result)) + ": " + info.message), info_(info) {}

  /// WM_E_*.
  wm_result result() const noexcept { return info_.result; }
  /// Everything about it.
  const wm_error_info &info() const noexcept { return info_; }
  /// WM_CATEGORY_*: kind of failure.
  std::uint32_t category() const noexcept { return info_.category; }
  /// WM_REMEDY_*: what helps.
  std::uint32_t remedy() const noexcept { return info_.remedy; }
  /// Whether the same call may succeed later.
  bool retryable() const noexcept { return info_.retryable != 0; }
  /// When to try again, counted from the failure; 0 if unknown.
  std::chrono::milliseconds retry_after() const noexcept {
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(info_.retry_after_ms));
  }

private:
  wm_error_info info_;
};

#ifdef __clang__
#pragma clang diagnostic pop
#endif

/// What the library tells about a result that a call on this thread has just answered.
inline wm_error_info error_info(wm_result result) noexcept {
  wm_error_info info = {};
  info.struct_size = sizeof info;
  if (wm_get_error_info(&info) != WM_S_OK || info.result != result) {
    info = {};
    info.struct_size = sizeof info;
    info.result = result;
    std::snprintf(info.message, sizeof info.message, "%s", wm_result_message(result));
  }
  return info;
}

namespace detail {

[[noreturn]] inline void raise(const wm_error_info &info) {
#if WMLICENSE_EXCEPTIONS
  throw error(info);
#else
  std::fprintf(stderr, "%s: %s\n", wm_result_name(info.result), info.message);
  std::abort();
#endif
}

/// What an outcome has whatever its value is.
class ended {
public:
  /// Whether it succeeded.
  bool ok() const noexcept { return result_ >= 0; }
  /// The same.
  explicit operator bool() const noexcept { return ok(); }
  /// What the call answered; success codes may carry information.
  wm_result result() const noexcept { return result_; }
  /// What failed; its result is 0 where nothing did.
  wm_error_info info() const noexcept { return info_ ? *info_ : wm_error_info{}; }

protected:
  explicit ended(wm_result result) : result_(result) {
    if (result < 0) info_ = error_info(result);
  }
  /// Throws what failed.
  void check() const {
    if (!ok()) raise(*info_);
  }

private:
  wm_result result_;
  std::optional<wm_error_info> info_;
};

} // namespace detail

/// What a `try_` function answers: a value, or why there is none. `value()` throws wm::error where there is none, which is what
/// the function without `try_` does.
template <class T = void> class [[nodiscard]] outcome : public detail::ended {
public:
  /// A success.
  outcome(T value, wm_result result = WM_S_OK) : ended(result), value_(std::move(value)) {}
  /// A failure, which a call on this thread has just answered.
  static outcome failure(wm_result result) { return outcome(result, nullptr); }

  /// The value; throws wm::error where there is none.
  T &value() & {
    check();
    return *value_;
  }
  /// The value, to be moved; throws wm::error where there is none.
  T value() && {
    check();
    return *std::move(value_);
  }
  /// The value, of a success.
  T &operator*() noexcept { return *value_; }
  /// The value's member, of a success.
  T *operator->() noexcept { return &*value_; }
  /// The value, or another one in its place.
  T value_or(T other) && { return ok() ? *std::move(value_) : std::move(other); }

private:
  outcome(wm_result result, std::nullptr_t) : ended(result) {}
  std::optional<T> value_;
};

/// The outcome of a call without a value.
template <> class [[nodiscard]] outcome<void> : public detail::ended {
public:
  /// What a call on this thread has just answered.
  outcome(wm_result result) : ended(result) {}
  /// Throws wm::error where it failed; answers the success code.
  wm_result value() const {
    check();
    return result();
  }
};

/// What a result means, one English sentence.
inline const char *result_message(wm_result result) noexcept { return wm_result_message(result); }
/// Name of a result, such as "WM_E_BACKUP_EXISTS".
inline const char *result_name(wm_result result) noexcept { return wm_result_name(result); }
/// Version of the library at run time: major << 16 | minor << 8 | patch.
inline std::uint32_t version() noexcept { return wm_version(); }
/// The same as text.
inline const char *version_string() noexcept { return wm_version_string(); }
/// Whether the library that is loaded has the binary interface that this header was made for.
inline bool abi_fits() noexcept { return wm_abi_version() == WM_ABI_VERSION; }
/// Counts objects of the library: 0 when everything was released.
inline std::size_t live_objects() noexcept { return wm_live_objects(); }

WMLICENSE_VARIANT_END
} // namespace wm

#endif
