// Between the wide text of the old API and the UTF-8 of wmlicense.h, and between the two orders of key IDs. Part of
// wmlicense_wmf.h.
#ifndef WMLICENSE_WMF_TEXT_H
#define WMLICENSE_WMF_TEXT_H

namespace wmf {

// Length of a wide text. wcslen cannot tell it: with -fshort-wchar the C library's wchar_t is another one.
inline std::size_t length_of(const WCHAR *text) {
  std::size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

inline void append_utf8(std::string &to, std::uint32_t letter) {
  const auto byte = [&to](std::uint32_t bits) { to.push_back(static_cast<char>(static_cast<unsigned char>(bits))); };
  if (letter < 0x80) return byte(letter);
  if (letter < 0x800) {
    byte(0xC0 | letter >> 6);
  } else if (letter < 0x10000) {
    byte(0xE0 | letter >> 12);
    byte(0x80 | (letter >> 6 & 0x3F));
  } else {
    byte(0xF0 | letter >> 18);
    byte(0x80 | (letter >> 12 & 0x3F));
    byte(0x80 | (letter >> 6 & 0x3F));
  }
  byte(0x80 | (letter & 0x3F));
}

// Writes wide text as UTF-8: UTF-16 where a WCHAR has two bytes, UTF-32 where it has four. False for what is neither.
inline bool to_utf8(const WCHAR *text, std::size_t length, std::string &to) {
  to.clear();
  for (std::size_t i = 0; i < length; i++) {
    std::uint32_t letter = static_cast<std::uint32_t>(text[i]);
    if constexpr (sizeof(WCHAR) == 2) letter &= 0xFFFF;
    if (letter >= 0xD800 && letter < 0xE000) {
      if (sizeof(WCHAR) != 2 || letter >= 0xDC00 || i + 1 == length) return false;
      const std::uint32_t low = static_cast<std::uint32_t>(text[i + 1]) & 0xFFFF;
      if (low < 0xDC00 || low >= 0xE000) return false;
      letter = 0x10000 + ((letter - 0xD800) << 10) + (low - 0xDC00);
      i++;
    }
    if (letter > 0x10FFFF) return false;
    append_utf8(to, letter);
  }
  return true;
}

inline bool to_utf8(const WCHAR *text, std::string &to) { return text != nullptr && to_utf8(text, length_of(text), to); }

// Wide text that owns its memory; always with a NUL behind it.
class Wide {
 public:
  Wide() : units_(1, WCHAR(0)) {}

  // Bytes that are no UTF-8 become replacement characters.
  explicit Wide(const std::string &utf8) {
    for (std::size_t i = 0; i < utf8.size();) push(next_letter(utf8, i));
    units_.push_back(WCHAR(0));
  }

  WCHAR *data() { return units_.data(); }
  const WCHAR *data() const { return units_.data(); }
  std::size_t length() const { return units_.size() - 1; }
  // With the NUL.
  std::size_t byte_size() const { return units_.size() * sizeof(WCHAR); }

 private:
  static std::uint32_t next_letter(const std::string &text, std::size_t &at) {
    const auto byte = [&text](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
    const std::uint32_t first = byte(at++);
    if (first < 0x80) return first;
    const std::size_t more = first >= 0xF0 && first < 0xF5 ? 3 : first >= 0xE0 && first < 0xF0 ? 2 : first >= 0xC2 && first < 0xE0;
    if (more == 0 || at + more > text.size()) return 0xFFFD;
    std::uint32_t letter = first & (0x3Fu >> more);
    for (std::size_t i = 0; i < more; i++) {
      if ((byte(at + i) & 0xC0) != 0x80) return 0xFFFD;
      letter = letter << 6 | (byte(at + i) & 0x3F);
    }
    const bool is_short = (more == 2 && letter < 0x800) || (more == 3 && letter < 0x10000);
    if (is_short || letter > 0x10FFFF || (letter >= 0xD800 && letter < 0xE000)) return 0xFFFD;
    at += more;
    return letter;
  }

  void push(std::uint32_t letter) {
    if (sizeof(WCHAR) == 2 && letter >= 0x10000) {
      units_.push_back(static_cast<WCHAR>(0xD800 + ((letter - 0x10000) >> 10)));
      letter = 0xDC00 + (letter & 0x3FF);
    }
    units_.push_back(static_cast<WCHAR>(letter));
  }

  std::vector<WCHAR> units_;
};

// The 16 bytes of a key ID, as wmlicense.h has them.
struct Kid {
  std::uint8_t bytes[16];
};

// A key ID as Windows Media has it: base64 of the bytes of a GUID in the memory of Windows.
inline std::string guid_order(const Kid &kid) {
  char text[32] = "";
  wm_kid_to_text(kid.bytes, WM_KID_BASE64 | WM_KID_GUID_ORDER, text, sizeof text, nullptr);
  return text;
}

inline bool read_kid(const char *text, std::uint32_t form, Kid &kid) { return wm_kid_from_text(text, form, kid.bytes) == 0; }

// A key ID that a status or property of wmlicense.h names, in GUID order; as it is where it is none.
inline std::string guid_order(const char *base64) {
  Kid kid;
  return read_kid(base64, WM_KID_BASE64, kid) ? guid_order(kid) : std::string(base64);
}

// A key ID that old code passes. Tools of Windows Media write ! and * in place of + and /.
inline bool read_guid_order(std::string text, Kid &kid) {
  for (char &letter : text) letter = letter == '!' ? '+' : letter == '*' ? '/' : letter;
  return read_kid(text.c_str(), WM_KID_BASE64 | WM_KID_GUID_ORDER, kid);
}
inline bool read_guid_order(const WCHAR *text, Kid &kid) {
  std::string utf8;
  return to_utf8(text, utf8) && read_guid_order(utf8, kid);
}

inline std::string kid_text(const Kid &kid) {
  char text[32] = "";
  wm_kid_to_text(kid.bytes, WM_KID_BASE64, text, sizeof text, nullptr);
  return text;
}

// The parts between semicolons, empty ones left out.
inline std::vector<std::string> split(const std::string &list) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= list.size();) {
    const std::size_t end = list.find(';', from);
    const std::size_t to = end == std::string::npos ? list.size() : end;
    if (to > from) parts.push_back(list.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

// Cuts `prefix` off; false, and `text` as it was, where it does not begin so.
inline bool cut_prefix(std::string &text, const char *prefix) {
  const std::size_t size = std::strlen(prefix);
  if (text.compare(0, size, prefix) != 0) return false;
  text.erase(0, size);
  return true;
}

// Gives a value to a caller who asks for the size with no buffer, or brings one: the contract of all getters of the old API.
inline HRESULT give_value(const void *value, std::size_t size, BYTE *buffer, WORD *size_out) {
  if (size_out == nullptr) return E_INVALIDARG;
  if (size > 0xFFFF) return WM_E_BUFFER_TOO_SMALL;
  const std::size_t room = *size_out;
  *size_out = static_cast<WORD>(size);
  if (buffer == nullptr) return S_OK;
  if (room < size) return WM_E_BUFFER_TOO_SMALL;
  std::memcpy(buffer, value, size);
  return S_OK;
}

// Reads text that a caller passes as bytes, with one NUL at the end or without.
inline bool read_wide(const BYTE *value, std::size_t size, std::string &to) {
  if (size % sizeof(WCHAR) != 0) return false;
  std::vector<WCHAR> units(size / sizeof(WCHAR));
  if (size > 0) std::memcpy(units.data(), value, size);
  if (!units.empty() && units.back() == 0) units.pop_back();
  return to_utf8(units.data(), units.size(), to) && to.find('\0') == std::string::npos;
}

// Reads base64; line ends and padding do not matter. False for any other letter.
inline bool read_base64(const WCHAR *text, std::size_t length, std::vector<BYTE> &to) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::uint32_t bits = 0;
  unsigned have = 0;
  to.clear();
  for (std::size_t i = 0; i < length; i++) {
    const WCHAR letter = text[i];
    if (letter == L'=' || letter == L'\r' || letter == L'\n') continue;
    const char *digit = letter > 0 && letter < 128 ? std::strchr(kDigits, static_cast<char>(letter)) : nullptr;
    if (digit == nullptr) return false;
    bits = bits << 6 | static_cast<std::uint32_t>(digit - kDigits);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    to.push_back(static_cast<BYTE>(bits >> have & 0xFF));
  }
  return true;
}

// A property's text, empty where it has no value.
inline std::string text_property(void *object, const char *name) {
  std::size_t size = 0;
  if (wm_get_prop(object, name, nullptr, nullptr, 0, &size) < 0 || size == 0) return {};
  std::string text(size, '\0');
  if (wm_get_prop(object, name, nullptr, text.data(), text.size(), &size) < 0 || size == 0) return {};
  text.resize(size - 1);
  return text;
}

}  // namespace wmf

#endif
