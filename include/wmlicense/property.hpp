/// @file property.hpp
/// What a property is to C++: a name with the type of its value, what may be done with it, and the objects that have it. The
/// properties themselves are in properties.hpp.
#ifndef WMLICENSE_PROPERTY_HPP
#define WMLICENSE_PROPERTY_HPP

#include <wmlicense/kid.hpp>

#include <chrono>

namespace wm {
WMLICENSE_VARIANT_BEGIN

/// A time as the library has it: seconds UTC.
using time_point = std::chrono::time_point<std::chrono::system_clock, std::chrono::seconds>;

/// What may be done with a property.
enum class access {
  /// Set and read.
  settable,
  /// Set only.
  write_only,
  /// Read only.
  read_only
};

/// A property: its value is a `Value`, and the objects are those that have it.
template <class Value, access Access, class... Objects> struct property {
  /// WM_PROP_*.
  const char *name;
};

namespace detail {

/// How a value of this type goes to the library and comes from it.
template <class Value> struct form;

template <> struct form<std::string> {
  using parameter = const std::string &;
  static wm_result set(void *object, const char *name, parameter value) {
    return wm_set_prop(object, name, WM_TYPE_STRING, value.data(), value.size());
  }
  static outcome<std::string> get(void *object, const char *name) {
    return read_text([&](char *buf, std::size_t size, std::size_t *needed) {
      return wm_get_prop(object, name, nullptr, buf, size, needed);
    });
  }
};

template <> struct form<std::vector<std::uint8_t>> {
  using parameter = bytes_view;
  static wm_result set(void *object, const char *name, parameter value) {
    return wm_set_prop(object, name, WM_TYPE_BINARY, value.data(), value.size());
  }
  static outcome<std::vector<std::uint8_t>> get(void *object, const char *name) {
    return read_bytes([&](void *buf, std::size_t size, std::size_t *needed) {
      return wm_get_prop(object, name, nullptr, buf, size, needed);
    });
  }
};

/// A number as C reads it.
template <class Number> outcome<Number> read_number(void *object, const char *name) {
  Number value = 0;
  const wm_result result = wm_get_prop(object, name, nullptr, &value, sizeof value, nullptr);
  if (result < 0) return outcome<Number>::failure(result);
  return value;
}

/// What another form makes of a value that was read.
template <class Value, class Read, class Make> outcome<Value> made(outcome<Read> read, Make make) {
  if (!read) return outcome<Value>::failure(read.result());
  return make(*read);
}

template <> struct form<std::uint32_t> {
  using parameter = std::uint32_t;
  static wm_result set(void *object, const char *name, parameter value) { return wm_set_number_prop(object, name, value); }
  static outcome<std::uint32_t> get(void *object, const char *name) { return read_number<std::uint32_t>(object, name); }
};

template <> struct form<bool> {
  using parameter = bool;
  static wm_result set(void *object, const char *name, parameter value) { return wm_set_bool_prop(object, name, value); }
  static outcome<bool> get(void *object, const char *name) {
    return made<bool>(read_number<std::int32_t>(object, name), [](std::int32_t value) { return value != 0; });
  }
};

template <> struct form<std::chrono::milliseconds> {
  using parameter = std::chrono::milliseconds;
  static wm_result set(void *object, const char *name, parameter value) {
    // What is negative fits no better than what is too long: the library says so.
    return wm_set_number_prop(object, name, static_cast<std::uint64_t>(value.count()));
  }
  static outcome<std::chrono::milliseconds> get(void *object, const char *name) {
    return made<std::chrono::milliseconds>(read_number<std::uint32_t>(object, name),
                                           [](std::uint32_t value) { return std::chrono::milliseconds(value); });
  }
};

template <> struct form<time_point> {
  using parameter = time_point;
  static wm_result set(void *object, const char *name, parameter value) {
    const auto seconds = value.time_since_epoch().count();
    return wm_set_number_prop(object, name, seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds));
  }
  static outcome<time_point> get(void *object, const char *name) {
    return made<time_point>(read_number<std::uint64_t>(object, name), [](std::uint64_t value) {
      return time_point(std::chrono::seconds(static_cast<std::chrono::seconds::rep>(value)));
    });
  }
};

template <> struct form<kid> {
  using parameter = const kid &;
  static wm_result set(void *object, const char *name, parameter value) {
    return wm_set_string_prop(object, name, value.to_string(WM_KID_BASE64).c_str());
  }
  static outcome<kid> get(void *object, const char *name) {
    outcome<std::string> text = form<std::string>::get(object, name);
    if (!text) return outcome<kid>::failure(text.result());
    return kid::try_parse(*text, WM_KID_BASE64);
  }
};

template <> struct form<std::vector<kid>> {
  using parameter = const std::vector<kid> &;
  static wm_result set(void *object, const char *name, parameter value) {
    return wm_set_string_prop(object, name, join(value).c_str());
  }
  static outcome<std::vector<kid>> get(void *object, const char *name) {
    outcome<std::string> text = form<std::string>::get(object, name);
    if (!text) return outcome<std::vector<kid>>::failure(text.result());
    return split(*text);
  }
};

} // namespace detail
WMLICENSE_VARIANT_END
} // namespace wm

#endif
