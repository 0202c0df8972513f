// Integer types, macros, results and small helpers of Windows as DRM code of the Windows Media Format SDK uses them, for other
// systems. Part of wmlicense_wmf.h; no interface is here.
#ifndef WMLICENSE_WMF_TYPES_H
#define WMLICENSE_WMF_TYPES_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>

// DWORD, ULONG and LONG have 32 bits, as on Windows, where long has them too: print them with %u, %d and %X.
typedef std::int32_t HRESULT;
typedef std::int32_t LONG;
typedef std::int32_t INT;
typedef std::int32_t BOOL;
typedef std::uint32_t DWORD;
typedef std::uint32_t ULONG;
typedef std::uint32_t UINT;
typedef std::uint32_t UINT32;
typedef std::uint16_t WORD;
typedef std::uint16_t USHORT;
typedef std::uint8_t BYTE;
typedef std::uint64_t QWORD;
typedef std::uint64_t ULONGLONG;
typedef std::int64_t LONGLONG;
typedef std::uint64_t UINT64;
typedef std::uintptr_t DWORD_PTR;
typedef char CHAR;
typedef wchar_t WCHAR;
typedef WCHAR OLECHAR;
typedef char *LPSTR;
typedef const char *LPCSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *LPCWSTR;
typedef WCHAR *LPOLESTR;
typedef const WCHAR *LPCOLESTR;
typedef void *LPVOID;
typedef BYTE *LPBYTE;
typedef DWORD *LPDWORD;

typedef struct _FILETIME {
  DWORD dwLowDateTime;
  DWORD dwHighDateTime;
} FILETIME;

typedef struct _SYSTEMTIME {
  WORD wYear;
  WORD wMonth;
  WORD wDayOfWeek;
  WORD wDay;
  WORD wHour;
  WORD wMinute;
  WORD wSecond;
  WORD wMilliseconds;
} SYSTEMTIME;

#ifndef VOID
#define VOID void
#endif
#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif
#ifndef EXTERN_C
#define EXTERN_C extern "C"
#endif
#define WINAPI
#define STDAPICALLTYPE
#define STDMETHODCALLTYPE
#define STDMETHOD(method) virtual HRESULT method
#define STDMETHOD_(type, method) virtual type method
#define STDMETHODIMP HRESULT
#define STDMETHODIMP_(type) type
#define PURE = 0

#define SUCCEEDED(hr) (static_cast<HRESULT>(hr) >= 0)
#define FAILED(hr) (static_cast<HRESULT>(hr) < 0)
#define HRESULT_CODE(hr) ((hr) & 0xFFFF)
#define WMF_HRESULT(number) static_cast<HRESULT>(number##u)

#define S_OK WMF_HRESULT(0)
#define S_FALSE WMF_HRESULT(1)
#define E_NOTIMPL WMF_HRESULT(0x80004001)
#define E_NOINTERFACE WMF_HRESULT(0x80004002)
#define E_POINTER WMF_HRESULT(0x80004003)
#define E_ABORT WMF_HRESULT(0x80004004)
#define E_FAIL WMF_HRESULT(0x80004005)
#define E_UNEXPECTED WMF_HRESULT(0x8000FFFF)
#define E_OUTOFMEMORY WMF_HRESULT(0x8007000E)
#define E_INVALIDARG WMF_HRESULT(0x80070057)
#define NOERROR S_OK
#define ERROR_NO_MORE_ITEMS 259
#define HRESULT_FROM_WIN32(code) \
  (static_cast<HRESULT>(code) <= 0 ? static_cast<HRESULT>(code) \
                                   : static_cast<HRESULT>((static_cast<DWORD>(code) & 0xFFFFu) | 0x80070000u))

#define ZeroMemory(place, size) std::memset((place), 0, (size))
#define CopyMemory(to, from, size) std::memcpy((to), (from), (size))

// Full barriers, as on Windows. A reference count is a LONG or a ULONG; a cast to long* would reach over its end.
inline LONG InterlockedIncrement(volatile LONG *count) { return __atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST); }
inline LONG InterlockedDecrement(volatile LONG *count) { return __atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST); }
inline ULONG InterlockedIncrement(volatile ULONG *count) { return __atomic_add_fetch(count, 1u, __ATOMIC_SEQ_CST); }
inline ULONG InterlockedDecrement(volatile ULONG *count) { return __atomic_sub_fetch(count, 1u, __ATOMIC_SEQ_CST); }

inline void Sleep(DWORD milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

// There are no apartments: these do nothing, and each may be called any number of times.
inline HRESULT CoInitialize(LPVOID) { return S_OK; }
inline HRESULT CoInitializeEx(LPVOID, DWORD) { return S_OK; }
inline void CoUninitialize() {}
#ifndef COINIT_MULTITHREADED
#define COINIT_MULTITHREADED 0x0
#define COINIT_APARTMENTTHREADED 0x2
#endif

inline LPVOID CoTaskMemAlloc(std::size_t size) { return std::malloc(size > 0 ? size : 1); }
inline void CoTaskMemFree(LPVOID memory) { std::free(memory); }

// Splits a time into date and time of day, UTC, in the Gregorian calendar.
inline BOOL FileTimeToSystemTime(const FILETIME *time, SYSTEMTIME *out) {
  const std::uint64_t ticks = static_cast<std::uint64_t>(time->dwHighDateTime) << 32 | time->dwLowDateTime;
  if (ticks >> 63 != 0) return FALSE;
  const std::uint64_t milliseconds = ticks / 10000, days = milliseconds / 86400000;
  const std::uint32_t of_day = static_cast<std::uint32_t>(milliseconds % 86400000);
  // Counted from 1600-03-01, which begins 400 years with the leap day at the end of each.
  const std::uint64_t since = days + 306, era = since / 146097;
  const std::uint32_t of_era = static_cast<std::uint32_t>(since % 146097);
  const std::uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::uint32_t month = (5 * of_year + 2) / 153;
  out->wDay = static_cast<WORD>(of_year - (153 * month + 2) / 5 + 1);
  out->wMonth = static_cast<WORD>(month < 10 ? month + 3 : month - 9);
  out->wYear = static_cast<WORD>(1600 + era * 400 + year + (month >= 10 ? 1 : 0));
  out->wDayOfWeek = static_cast<WORD>((days + 1) % 7);
  out->wHour = static_cast<WORD>(of_day / 3600000);
  out->wMinute = static_cast<WORD>(of_day / 60000 % 60);
  out->wSecond = static_cast<WORD>(of_day / 1000 % 60);
  out->wMilliseconds = static_cast<WORD>(of_day % 1000);
  return TRUE;
}

#endif
