// GUID, IUnknown, BSTR and PROPVARIANT as DRM code of the Windows Media Format SDK uses them, for other systems. Part of
// wmlicense_wmf.h. Programs share sources with Windows by it, not objects: vtables are those of this system's C++ compiler.
#ifndef WMLICENSE_WMF_UNKNOWN_H
#define WMLICENSE_WMF_UNKNOWN_H

#include "types.h"

typedef struct _GUID {
  std::uint32_t Data1;
  std::uint16_t Data2;
  std::uint16_t Data3;
  std::uint8_t Data4[8];
} GUID;
typedef GUID IID;
typedef GUID CLSID;
typedef const GUID &REFGUID;
typedef const IID &REFIID;

inline bool operator==(const GUID &one, const GUID &other) { return std::memcmp(&one, &other, sizeof one) == 0; }
inline bool operator!=(const GUID &one, const GUID &other) { return !(one == other); }
inline BOOL IsEqualGUID(REFGUID one, REFGUID other) { return one == other ? TRUE : FALSE; }
inline BOOL IsEqualIID(REFIID one, REFIID other) { return one == other ? TRUE : FALSE; }
inline constexpr GUID GUID_NULL = {};

namespace wmf {
// The IID of an interface; there is one for each that has a constant IID_….
template <class Interface>
struct IidOf;
}  // namespace wmf

// Declares the IID of an interface at namespace level: IID_Interface, and what __uuidof(Interface) means.
#define WMF_IID(Interface, d1, d2, d3, b0, b1, b2, b3, b4, b5, b6, b7) \
  inline constexpr IID IID_##Interface = {d1, d2, d3, {b0, b1, b2, b3, b4, b5, b6, b7}}; \
  template <> \
  struct wmf::IidOf<Interface> { \
    static constexpr const IID &value = IID_##Interface; \
  }

#define __uuidof(Interface) (::wmf::IidOf<Interface>::value)

struct IUnknown {
  virtual HRESULT STDMETHODCALLTYPE QueryInterface(REFIID riid, void **object) = 0;
  virtual ULONG STDMETHODCALLTYPE AddRef() = 0;
  virtual ULONG STDMETHODCALLTYPE Release() = 0;

  template <class Interface>
  HRESULT QueryInterface(Interface **object) {
    if (object == nullptr) return E_POINTER;
    void *found = nullptr;
    const HRESULT result = QueryInterface(::wmf::IidOf<Interface>::value, &found);
    *object = static_cast<Interface *>(found);
    return result;
  }

 protected:
  // A class that implements interfaces deletes itself in Release.
  virtual ~IUnknown() = default;
};
typedef IUnknown *LPUNKNOWN;
WMF_IID(IUnknown, 0x00000000, 0x0000, 0x0000, 0xC0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46);

// --- BSTR: text with the count of its bytes before it and a NUL behind it ---------------------------------------------

typedef OLECHAR *BSTR;

inline BSTR SysAllocStringByteLen(const char *bytes, UINT size) {
  constexpr std::size_t head = alignof(std::max_align_t);
  char *memory = static_cast<char *>(std::malloc(head + size + sizeof(OLECHAR)));
  if (memory == nullptr) return nullptr;
  char *text = memory + head;
  const std::uint32_t count = size;
  std::memcpy(text - sizeof count, &count, sizeof count);
  if (bytes != nullptr) std::memcpy(text, bytes, size);
  std::memset(text + size, 0, sizeof(OLECHAR));
  return static_cast<BSTR>(static_cast<void *>(text));
}

inline BSTR SysAllocStringLen(const OLECHAR *text, UINT length) {
  if (length > 0x3FFFFFFF) return nullptr;
  const void *bytes = text;
  return SysAllocStringByteLen(static_cast<const char *>(bytes), static_cast<UINT>(length * sizeof(OLECHAR)));
}

inline BSTR SysAllocString(const OLECHAR *text) {
  if (text == nullptr) return nullptr;
  UINT length = 0;
  while (text[length] != 0) length++;
  return SysAllocStringLen(text, length);
}

inline void SysFreeString(BSTR text) {
  if (text != nullptr) std::free(static_cast<char *>(static_cast<void *>(text)) - alignof(std::max_align_t));
}

inline UINT SysStringByteLen(BSTR text) {
  std::uint32_t count = 0;
  if (text != nullptr) std::memcpy(&count, static_cast<const char *>(static_cast<void *>(text)) - sizeof count, sizeof count);
  return count;
}

inline UINT SysStringLen(BSTR text) { return static_cast<UINT>(SysStringByteLen(text) / sizeof(OLECHAR)); }

// --- PROPVARIANT: the kinds that events and properties of licenses have ------------------------------------------------

typedef WORD VARTYPE;
enum VARENUM { VT_EMPTY = 0, VT_BSTR = 8, VT_UNKNOWN = 13, VT_UI4 = 19, VT_UI8 = 21 };

typedef struct tagPROPVARIANT {
  VARTYPE vt;
  WORD wReserved1;
  WORD wReserved2;
  WORD wReserved3;
  union {
    IUnknown *punkVal;
    BSTR bstrVal;
    ULONG ulVal;
    QWORD uhVal;  // a struct on Windows, with the same number in QuadPart
  };
} PROPVARIANT;

inline void PropVariantInit(PROPVARIANT *value) { std::memset(value, 0, sizeof *value); }

inline HRESULT PropVariantClear(PROPVARIANT *value) {
  if (value == nullptr) return S_OK;
  if (value->vt == VT_UNKNOWN && value->punkVal != nullptr) value->punkVal->Release();
  if (value->vt == VT_BSTR) SysFreeString(value->bstrVal);
  PropVariantInit(value);
  return S_OK;
}

#endif
