/// @file kid.hpp
/// Bytes without a copy, and key IDs with their forms as text.
#ifndef WMLICENSE_KID_HPP
#define WMLICENSE_KID_HPP

#include <wmlicense/outcome.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string_view>
#include <type_traits>
#include <vector>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// Bytes that somebody else owns: of a vector, an array, a string, a std::span, or by address and size.
class bytes_view {
public:
  /// No bytes.
  constexpr bytes_view() noexcept = default;
  /// By address and size.
  constexpr bytes_view(const void *data, std::size_t size) noexcept : data_(data), size_(size) {}
  /// Of whatever keeps bytes in a row.
  template <class Bytes, class = std::enable_if_t<sizeof(*std::data(std::declval<const Bytes &>())) == 1 &&
                                                  !std::is_array_v<Bytes> && !std::is_same_v<Bytes, bytes_view>>>
  constexpr bytes_view(const Bytes &bytes) noexcept : data_(std::data(bytes)), size_(std::size(bytes)) {}

  /// Where they are.
  constexpr const void *data() const noexcept { return data_; }
  /// How many.
  constexpr std::size_t size() const noexcept { return size_; }

private:
  const void *data_ = nullptr;
  std::size_t size_ = 0;
};

namespace detail {

/// Reads a text by a call that takes a buffer, its size and where to tell the size needed.
template <class Call> outcome<std::string> read_text(Call call) {
  char first[256];
  std::size_t needed = 0;
  wm_result result = call(static_cast<char *>(first), sizeof first, &needed);
  if (result >= 0) return outcome<std::string>(std::string(static_cast<const char *>(first)), result);
  std::string text;
  // It may grow between two calls.
  while (result == WM_E_BUFFER_TOO_SMALL) {
    text.resize(needed);
    result = call(text.data(), text.size(), &needed);
  }
  if (result < 0) return outcome<std::string>::failure(result);
  text.resize(std::strlen(text.c_str()));
  return outcome<std::string>(std::move(text), result);
}

/// Reads bytes by such a call.
template <class Call> outcome<std::vector<std::uint8_t>> read_bytes(Call call) {
  std::vector<std::uint8_t> bytes;
  std::size_t needed = 0;
  wm_result result = call(nullptr, std::size_t{0}, &needed);
  // A size alone is a success too, so an empty value needs no second call.
  while (result >= 0 ? bytes.size() != needed : result == WM_E_BUFFER_TOO_SMALL) {
    bytes.resize(needed);
    result = call(bytes.data(), bytes.size(), &needed);
    if (result >= 0) bytes.resize(needed);
  }
  if (result < 0) return outcome<std::vector<std::uint8_t>>::failure(result);
  return outcome<std::vector<std::uint8_t>>(std::move(bytes), result);
}

} // namespace detail

/// A key ID: 16 bytes in the order of the UUID text.
class kid {
public:
  /// All zero.
  constexpr kid() noexcept = default;
  /// Of 16 bytes in this order.
  explicit constexpr kid(const std::array<std::uint8_t, 16> &bytes) noexcept : bytes_(bytes) {}
  /// Of 16 bytes in this order.
  explicit kid(const std::uint8_t (&bytes)[16]) noexcept { std::memcpy(bytes_.data(), bytes, bytes_.size()); }

  /// Reads it from text. `form`: WM_KID_*, or 0 to recognise hexadecimal digits, a UUID or base64. Fails with WM_E_BAD_VALUE.
  static outcome<kid> try_parse(const std::string &text, std::uint32_t form = 0) {
    kid read;
    const wm_result result = wm_kid_from_text(text.c_str(), form, read.bytes_.data());
    if (result < 0) return outcome<kid>::failure(result);
    return read;
  }
  /// The same; throws wm::error.
  static kid parse(const std::string &text, std::uint32_t form = 0) { return try_parse(text, form).value(); }

  /// As text. `form`: WM_KID_*; properties and statuses have WM_KID_BASE64. Throws wm::error for another number.
  std::string to_string(std::uint32_t form = WM_KID_UUID) const {
    return detail::read_text([&](char *buf, std::size_t size, std::size_t *needed) {
             return wm_kid_to_text(bytes_.data(), form, buf, size, needed);
           })
        .value();
  }
  /// Its 16 bytes, as functions of C want them.
  const std::uint8_t *data() const noexcept { return bytes_.data(); }
  /// The same to be written.
  std::uint8_t *data() noexcept { return bytes_.data(); }
  /// The same as an array.
  const std::array<std::uint8_t, 16> &bytes() const noexcept { return bytes_; }

  /// Whether both are the same.
  friend bool operator==(const kid &one, const kid &other) noexcept { return one.bytes_ == other.bytes_; }
  /// Whether they differ.
  friend bool operator!=(const kid &one, const kid &other) noexcept { return one.bytes_ != other.bytes_; }
  /// An order, for maps.
  friend bool operator<(const kid &one, const kid &other) noexcept { return one.bytes_ < other.bytes_; }

private:
  std::array<std::uint8_t, 16> bytes_ = {};
};

/// The key ID that a failure is about, if it is about one.
inline std::optional<kid> kid_of(const wm_error_info &info) {
  if (info.has_kid == 0) return std::nullopt;
  return kid(info.kid);
}

namespace detail {

/// Key IDs as a property has them: base64, semicolons between.
inline std::string join(const std::vector<kid> &kids) {
  std::string text;
  for (const kid &one : kids) {
    if (!text.empty()) text += ';';
    text += one.to_string(WM_KID_BASE64);
  }
  return text;
}

/// The key IDs of such a text.
inline outcome<std::vector<kid>> split(const std::string &text) {
  std::vector<kid> kids;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(';', begin), text.size());
    outcome<kid> one = kid::try_parse(text.substr(begin, end - begin), WM_KID_BASE64);
    if (!one) return outcome<std::vector<kid>>::failure(one.result());
    kids.push_back(*one);
    begin = end + 1;
  }
  return kids;
}

} // namespace detail
WMLICENSE_VARIANT_END
} // namespace wm

/// @cond
/// For unordered containers.
template <> struct std::hash<wm::kid> {
  /// A hash of the 16 bytes.
  std::size_t operator()(const wm::kid &kid) const noexcept {
    return std::hash<std::string_view>()(std::string_view(reinterpret_cast<const char *>(kid.data()), 16));
  }
};
/// @endcond

#endif
