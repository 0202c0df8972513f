// Enumerations and interfaces of the Windows Media Format SDK that DRM code uses, in the layout of its published headers, for
// other systems. Part of wmlicense_wmf.h. What is for DRM alone is in wmsdk_drm.h.
#ifndef WMLICENSE_WMF_WMSDK_H
#define WMLICENSE_WMF_WMSDK_H

#include "unknown.h"

// Fixed underlying types: a number that the list lacks is still one that the type can hold.
typedef enum WMT_ATTR_DATATYPE : std::int32_t {
  WMT_TYPE_DWORD = 0,
  WMT_TYPE_STRING = 1,
  WMT_TYPE_BINARY = 2,
  WMT_TYPE_BOOL = 3,
  WMT_TYPE_QWORD = 4,
  WMT_TYPE_WORD = 5,
  WMT_TYPE_GUID = 6
} WMT_ATTR_DATATYPE;

typedef enum WMT_STATUS : std::int32_t {
  WMT_ERROR = 0,
  WMT_OPENED = 1,
  WMT_BUFFERING_START = 2,
  WMT_BUFFERING_STOP = 3,
  WMT_EOF = 4,
  WMT_END_OF_FILE = 4,
  WMT_END_OF_SEGMENT = 5,
  WMT_END_OF_STREAMING = 6,
  WMT_LOCATING = 7,
  WMT_CONNECTING = 8,
  WMT_NO_RIGHTS = 9,
  WMT_MISSING_CODEC = 10,
  WMT_STARTED = 11,
  WMT_STOPPED = 12,
  WMT_CLOSED = 13,
  WMT_STRIDING = 14,
  WMT_TIMER = 15,
  WMT_INDEX_PROGRESS = 16,
  WMT_SAVEAS_START = 17,
  WMT_SAVEAS_STOP = 18,
  WMT_NEW_SOURCEFLAGS = 19,
  WMT_NEW_METADATA = 20,
  WMT_BACKUPRESTORE_BEGIN = 21,
  WMT_SOURCE_SWITCH = 22,
  WMT_ACQUIRE_LICENSE = 23,
  WMT_INDIVIDUALIZE = 24,
  WMT_NEEDS_INDIVIDUALIZATION = 25,
  WMT_NO_RIGHTS_EX = 26,
  WMT_BACKUPRESTORE_END = 27,
  WMT_BACKUPRESTORE_CONNECTING = 28,
  WMT_BACKUPRESTORE_DISCONNECTING = 29,
  WMT_ERROR_WITHURL = 30,
  WMT_RESTRICTED_LICENSE = 31,
  WMT_CLIENT_CONNECT = 32,
  WMT_CLIENT_DISCONNECT = 33,
  WMT_NATIVE_OUTPUT_PROPS_CHANGED = 34,
  WMT_RECONNECT_START = 35,
  WMT_RECONNECT_END = 36,
  WMT_CLIENT_CONNECT_EX = 37,
  WMT_CLIENT_DISCONNECT_EX = 38,
  WMT_SET_FEC_SPAN = 39,
  WMT_PREROLL_READY = 40,
  WMT_PREROLL_COMPLETE = 41,
  WMT_CLIENT_PROPERTIES = 42,
  WMT_LICENSEURL_SIGNATURE_STATE = 43,
  WMT_INIT_PLAYLIST_BURN = 44,
  WMT_TRANSCRYPTOR_INIT = 45,
  WMT_TRANSCRYPTOR_SEEKED = 46,
  WMT_TRANSCRYPTOR_READ = 47,
  WMT_TRANSCRYPTOR_CLOSED = 48,
  WMT_PROXIMITY_RESULT = 49,
  WMT_PROXIMITY_COMPLETED = 50,
  WMT_CONTENT_ENABLER = 51
} WMT_STATUS;

typedef enum WMT_RIGHTS : std::int32_t {
  WMT_RIGHT_PLAYBACK = 0x1,
  WMT_RIGHT_COPY_TO_NON_SDMI_DEVICE = 0x2,
  WMT_RIGHT_COPY_TO_CD = 0x8,
  WMT_RIGHT_COPY_TO_SDMI_DEVICE = 0x10,
  WMT_RIGHT_ONE_TIME = 0x20,
  WMT_RIGHT_SAVE_STREAM_PROTECTED = 0x40,
  WMT_RIGHT_COPY = 0x80,
  WMT_RIGHT_COLLABORATIVE_PLAY = 0x100,
  WMT_RIGHT_SDMI_TRIGGER = 0x10000,
  WMT_RIGHT_SDMI_NOMORECOPIES = 0x20000
} WMT_RIGHTS;

// A buffer for samples: only callbacks of players name it, nothing here makes one.
struct INSSBuffer : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetLength(DWORD *length) = 0;
  virtual HRESULT STDMETHODCALLTYPE SetLength(DWORD length) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetMaxLength(DWORD *length) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetBuffer(BYTE **buffer) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetBufferAndLength(BYTE **buffer, DWORD *length) = 0;
};
WMF_IID(INSSBuffer, 0xE1CD3524, 0x03D7, 0x11D2, 0x9E, 0xED, 0x00, 0x60, 0x97, 0xD2, 0xD7, 0xCF);

// What the application implements to hear of statuses.
struct IWMStatusCallback : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE OnStatus(WMT_STATUS status, HRESULT hr, WMT_ATTR_DATATYPE type, BYTE *value,
                                             void *context) = 0;
};
WMF_IID(IWMStatusCallback, 0x6D7CDC70, 0x9888, 0x11D3, 0x8E, 0xDC, 0x00, 0xC0, 0x4F, 0x61, 0x09, 0xCF);

struct IWMReaderCallback : IWMStatusCallback {
  virtual HRESULT STDMETHODCALLTYPE OnSample(DWORD output, QWORD time, QWORD duration, DWORD flags, INSSBuffer *sample,
                                             void *context) = 0;
};
WMF_IID(IWMReaderCallback, 0x96406BD8, 0x2B2B, 0x11D3, 0xB3, 0x6B, 0x00, 0xC0, 0x4F, 0x61, 0x08, 0xFF);

struct IWMOutputMediaProps;

struct IWMReader : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE Open(const WCHAR *url, IWMReaderCallback *callback, void *context) = 0;
  virtual HRESULT STDMETHODCALLTYPE Close() = 0;
  virtual HRESULT STDMETHODCALLTYPE GetOutputCount(DWORD *count) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetOutputProps(DWORD output, IWMOutputMediaProps **props) = 0;
  virtual HRESULT STDMETHODCALLTYPE SetOutputProps(DWORD output, IWMOutputMediaProps *props) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetOutputFormatCount(DWORD output, DWORD *count) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetOutputFormat(DWORD output, DWORD format, IWMOutputMediaProps **props) = 0;
  virtual HRESULT STDMETHODCALLTYPE Start(QWORD start, QWORD duration, float rate, void *context) = 0;
  virtual HRESULT STDMETHODCALLTYPE Stop() = 0;
  virtual HRESULT STDMETHODCALLTYPE Pause() = 0;
  virtual HRESULT STDMETHODCALLTYPE Resume() = 0;
};
WMF_IID(IWMReader, 0x96406BD6, 0x2B2B, 0x11D3, 0xB3, 0x6B, 0x00, 0xC0, 0x4F, 0x61, 0x08, 0xFF);

struct IWMDRMReader : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE AcquireLicense(DWORD flags) = 0;
  virtual HRESULT STDMETHODCALLTYPE CancelLicenseAcquisition() = 0;
  virtual HRESULT STDMETHODCALLTYPE Individualize(DWORD flags) = 0;
  virtual HRESULT STDMETHODCALLTYPE CancelIndividualization() = 0;
  virtual HRESULT STDMETHODCALLTYPE MonitorLicenseAcquisition() = 0;
  virtual HRESULT STDMETHODCALLTYPE CancelMonitorLicenseAcquisition() = 0;
  virtual HRESULT STDMETHODCALLTYPE SetDRMProperty(const WCHAR *name, WMT_ATTR_DATATYPE type, const BYTE *value,
                                                   WORD size) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetDRMProperty(const WCHAR *name, WMT_ATTR_DATATYPE *type, BYTE *value,
                                                   WORD *size) = 0;
};
WMF_IID(IWMDRMReader, 0xD2827540, 0x3EE7, 0x432C, 0xB1, 0x4C, 0xDC, 0x17, 0xF0, 0x85, 0xD3, 0xB3);

struct IWMMetadataEditor : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE Open(const WCHAR *file) = 0;
  virtual HRESULT STDMETHODCALLTYPE Close() = 0;
  virtual HRESULT STDMETHODCALLTYPE Flush() = 0;
};
WMF_IID(IWMMetadataEditor, 0x96406BD9, 0x2B2B, 0x11D3, 0xB3, 0x6B, 0x00, 0xC0, 0x4F, 0x61, 0x08, 0xFF);

struct IWMLicenseBackup : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE BackupLicenses(DWORD flags, IWMStatusCallback *callback) = 0;
  virtual HRESULT STDMETHODCALLTYPE CancelLicenseBackup() = 0;
};
WMF_IID(IWMLicenseBackup, 0x05E5AC9F, 0x3FB6, 0x4508, 0xBB, 0x43, 0xA4, 0x06, 0x7B, 0xA1, 0xEB, 0xE8);

struct IWMLicenseRestore : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE RestoreLicenses(DWORD flags, IWMStatusCallback *callback) = 0;
  virtual HRESULT STDMETHODCALLTYPE CancelLicenseRestore() = 0;
};
WMF_IID(IWMLicenseRestore, 0xC70B6334, 0xA22E, 0x4EFB, 0xA2, 0x45, 0x15, 0xE6, 0x5A, 0x00, 0x4A, 0x13);

#endif
