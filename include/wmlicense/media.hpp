/// @file media.hpp
/// What a player does with stored licenses: decrypt samples, and list what there is.
#ifndef WMLICENSE_MEDIA_HPP
#define WMLICENSE_MEDIA_HPP

#include <wmlicense/client.hpp>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// How a sample is encrypted, as its container tells. What it points to is not copied.
class sample : public wm_sample {
public:
  /// A sample that is encrypted as a whole, by AES-CTR unless another WM_SCHEME_* is given.
  explicit sample(bytes_view vector, std::uint32_t of_scheme = WM_SCHEME_CENC) noexcept : wm_sample() {
    struct_size = sizeof(wm_sample);
    iv = static_cast<const std::uint8_t *>(vector.data());
    iv_size = vector.size();
    scheme = of_scheme;
  }
  /// Its clear and encrypted ranges, in order.
  sample &ranges(const wm_subsample *first, std::size_t count) noexcept {
    subsamples = first;
    subsample_count = count;
    return *this;
  }
  /// The same from whatever keeps them in a row.
  template <class Ranges> sample &ranges(const Ranges &row) noexcept { return ranges(std::data(row), std::size(row)); }
  /// The blocks of a pattern.
  sample &pattern(std::uint32_t encrypted, std::uint32_t clear) noexcept {
    crypt_byte_block = encrypted;
    skip_byte_block = clear;
    return *this;
  }
};

/// Decrypts the samples of one key ID for one action. Any number of threads may use one at the same time. It counts as one use.
class decryptor : public object<decryptor, wm_decryptor> {
public:
  /// Of its parts.
  explicit decryptor(parts &&made) noexcept : object(std::move(made)) {}
  /// Chooses a stored license that permits the action. Makes no network call.
  explicit decryptor(const client &of, const kid &key, const char *action = WM_ACTION_PLAY)
      : decryptor(try_create(of, key, action).value()) {}
  /// What the constructor does.
  static outcome<decryptor> try_create(const client &of, const kid &key, const char *action = WM_ACTION_PLAY) {
    wm_decryptor *handle = nullptr;
    const wm_result result = wm_create_decryptor(of.get(), key.data(), action, &handle);
    if (result < 0) return outcome<decryptor>::failure(result);
    return decryptor(parts{handle, nullptr});
  }

  /// Decrypts a sample in place. On every failure its bytes are as they were.
  outcome<> try_decrypt_sample(const wm_sample &sample, void *data, std::size_t size) const {
    return wm_decrypt_sample(get(), &sample, data, size);
  }
  /// The same; throws wm::error.
  void decrypt_sample(const wm_sample &sample, void *data, std::size_t size) const {
    try_decrypt_sample(sample, data, size).value();
  }
  /// Decrypts a sample in place, in whatever keeps its bytes in a row.
  template <class Buffer> outcome<> try_decrypt_sample(const wm_sample &sample, Buffer &&buffer) const {
    static_assert(sizeof(*std::data(buffer)) == 1, "a sample is bytes");
    return try_decrypt_sample(sample, std::data(buffer), std::size(buffer));
  }
  /// The same; throws wm::error.
  template <class Buffer> void decrypt_sample(const wm_sample &sample, Buffer &&buffer) const {
    try_decrypt_sample(sample, buffer).value();
  }
  /// Decrypts a sample into a buffer of the same size, such as one of the decoder's. On failure the buffer holds the encrypted one.
  outcome<> try_decrypt_sample(const wm_sample &sample, bytes_view from, void *to) const {
    if (from.size() > 0) std::memcpy(to, from.data(), from.size());
    return try_decrypt_sample(sample, to, from.size());
  }
  /// The same; throws wm::error.
  void decrypt_sample(const wm_sample &sample, bytes_view from, void *to) const {
    try_decrypt_sample(sample, from, to).value();
  }
};

/// Walks through the stored licenses: `for (wm::license_enumerator &license : licenses)`, reading properties of the one it is at.
/// Filters, prop::filter_kid and others, are set before the first.
class license_enumerator : public object<license_enumerator, wm_license_enumerator> {
public:
  /// Of its parts.
  explicit license_enumerator(parts &&made) noexcept : object(std::move(made)) {}
  /// Before the first license.
  explicit license_enumerator(const client &of) : license_enumerator(try_create(of).value()) {}
  /// What the constructor does.
  static outcome<license_enumerator> try_create(const client &of) {
    wm_license_enumerator *handle = nullptr;
    const wm_result result = wm_create_license_enumerator(of.get(), &handle);
    if (result < 0) return outcome<license_enumerator>::failure(result);
    return license_enumerator(parts{handle, nullptr});
  }

  /// Goes to the next license: false after the last one.
  outcome<bool> try_next() {
    const wm_result result = wm_next_license(get());
    if (result == WM_E_NO_MORE_ITEMS) return false;
    if (result < 0) return outcome<bool>::failure(result);
    return true;
  }
  /// The same; throws wm::error.
  bool next() { return try_next().value(); }

  /// An end, or the license that the enumerator is at.
  class iterator {
  public:
    /// One pass only.
    using iterator_category = std::input_iterator_tag;
    /// Licenses are read where the enumerator is.
    using value_type = license_enumerator;
    /// Of no meaning.
    using difference_type = std::ptrdiff_t;
    /// The enumerator.
    using pointer = license_enumerator *;
    /// The enumerator.
    using reference = license_enumerator &;

    /// An end.
    iterator() noexcept = default;
    /// At the next license.
    explicit iterator(license_enumerator *at) : at_(at) { ++*this; }
    /// The enumerator, whose properties show the license.
    reference operator*() const noexcept { return *at_; }
    /// The same.
    pointer operator->() const noexcept { return at_; }
    /// Goes to the next license; throws wm::error.
    iterator &operator++() {
      if (!at_->next()) at_ = nullptr;
      return *this;
    }
    /// The same.
    void operator++(int) { ++*this; }
    /// Whether both are at an end, or at the same place.
    friend bool operator==(const iterator &one, const iterator &other) noexcept { return one.at_ == other.at_; }
    /// The contrary.
    friend bool operator!=(const iterator &one, const iterator &other) noexcept { return one.at_ != other.at_; }

  private:
    license_enumerator *at_ = nullptr;
  };
  /// Goes to the next license.
  iterator begin() { return iterator(this); }
  /// After the last one.
  iterator end() noexcept { return iterator(); }
};

WMLICENSE_VARIANT_END
} // namespace wm

#endif
