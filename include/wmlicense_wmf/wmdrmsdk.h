// The DRM client extended API of the Windows Media Format 11 SDK: constants, structures and interfaces in the layout of its
// published headers, with the event queues of Media Foundation that it is built on. Part of wmlicense_wmf.h; not for Windows.
#ifndef WMLICENSE_WMF_WMDRMSDK_H
#define WMLICENSE_WMF_WMDRMSDK_H

#include "codes.h"
#include "wmsdk_drm.h"

// --- events ------------------------------------------------------------------------------------------------------------

typedef DWORD MediaEventType;
enum : DWORD {
  MEUnknown = 0,
  MEError = 1,
  MEWMDRMLicenseBackupCompleted = 500,
  MEWMDRMLicenseBackupProgress = 501,
  MEWMDRMLicenseRestoreCompleted = 502,
  MEWMDRMLicenseRestoreProgress = 503,
  MEWMDRMLicenseAcquisitionCompleted = 506,
  MEWMDRMIndividualizationCompleted = 508,
  MEWMDRMIndividualizationProgress = 513,
  MEWMDRMProximityCompleted = 514,
  MEWMDRMLicenseStoreCleaned = 515,
  MEWMDRMRevocationDownloadCompleted = 516
};

#define MF_EVENT_FLAG_NO_WAIT 0x00000001u

// Events have no attributes here: only what is about the event itself.
struct IMFMediaEvent : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetType(MediaEventType *type) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetExtendedType(GUID *type) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetStatus(HRESULT *status) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetValue(PROPVARIANT *value) = 0;
};
WMF_IID(IMFMediaEvent, 0xDF598932, 0xF10C, 0x4E39, 0xBB, 0xA2, 0xC3, 0x08, 0xF1, 0x01, 0xDA, 0xA3);

struct IMFAsyncResult : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetState(IUnknown **state) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetStatus() = 0;
  virtual HRESULT STDMETHODCALLTYPE SetStatus(HRESULT status) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetObject(IUnknown **object) = 0;
  virtual IUnknown *STDMETHODCALLTYPE GetStateNoAddRef() = 0;
};
WMF_IID(IMFAsyncResult, 0xAC6B7889, 0x0740, 0x4D51, 0x86, 0x19, 0x90, 0x59, 0x94, 0xA5, 0x5C, 0xC6);

struct IMFAsyncCallback : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetParameters(DWORD *flags, DWORD *queue) = 0;
  virtual HRESULT STDMETHODCALLTYPE Invoke(IMFAsyncResult *result) = 0;
};
WMF_IID(IMFAsyncCallback, 0xA27003CF, 0x2354, 0x4F2A, 0x8D, 0x6A, 0xAB, 0x7C, 0xFF, 0x15, 0x43, 0x7E);

struct IMFMediaEventGenerator : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetEvent(DWORD flags, IMFMediaEvent **event) = 0;
  virtual HRESULT STDMETHODCALLTYPE BeginGetEvent(IMFAsyncCallback *callback, IUnknown *state) = 0;
  virtual HRESULT STDMETHODCALLTYPE EndGetEvent(IMFAsyncResult *result, IMFMediaEvent **event) = 0;
  virtual HRESULT STDMETHODCALLTYPE QueueEvent(MediaEventType type, REFGUID extended_type, HRESULT status,
                                               const PROPVARIANT *value) = 0;
};
WMF_IID(IMFMediaEventGenerator, 0x2CD0BD52, 0xBCD5, 0x4B89, 0xB6, 0x2C, 0xEA, 0xDC, 0x0C, 0x03, 0x1E, 0x7D);

struct IWMDRMEventGenerator : IMFMediaEventGenerator {
  virtual HRESULT STDMETHODCALLTYPE CancelAsyncOperation(IUnknown *cookie) = 0;
  virtual HRESULT STDMETHODCALLTYPE Shutdown() = 0;
};
WMF_IID(IWMDRMEventGenerator, 0xCE11CC91, 0xE615, 0x4E0B, 0xBE, 0x1F, 0x09, 0xB5, 0xAE, 0xC0, 0x33, 0xF2);

// --- flags -------------------------------------------------------------------------------------------------------------

#define WMDRM_ACQUIRE_LICENSE_SILENT 0x00000001u
#define WMDRM_ACQUIRE_LICENSE_NONSILENT 0x00000002u
#define WMDRM_ACQUIRE_LICENSE_LEGACY_NONSILENT 0x00000004u
#define WMDRM_BACKUP_OVERWRITE 0x00000001u
#define WMDRM_RESTORE_INDIVIDUALIZE 0x00000002u
#define WMDRM_SECURITY_PERFORM_INDIV 0x00000001u
#define WMDRM_SECURITY_PERFORM_REVOCATION_REFRESH 0x00000002u
#define WMDRM_SECURITY_PERFORM_FORCE_INDIV 0x00000004u
#define WMDRM_DELETE_LICENSE_IMMEDIATELY 0x00000001u
#define WMDRM_DELETE_LICENSE_MARK_FOR_PURGE 0x00000002u
#define WMDRM_CLEAN_LICENSE_STORE_SYNC 0x00000001u
#define WMDRM_CLEAN_LICENSE_STORE_ASYNC 0x00000002u
#define WMDRM_LICENSE_TYPE_XML 0x00000001u
#define WMDRM_LICENSE_TYPE_XMR 0x00000002u

// --- statuses and questions --------------------------------------------------------------------------------------------

typedef enum MSDRM_STATUS : std::int32_t {
  DRM_ERROR = 0,
  DRM_INFORMATION = 1,
  DRM_BACKUPRESTORE_BEGIN = 2,
  DRM_BACKUPRESTORE_END = 3,
  DRM_BACKUPRESTORE_CONNECTING = 4,
  DRM_BACKUPRESTORE_DISCONNECTING = 5,
  DRM_ERROR_WITHURL = 6,
  DRM_RESTRICTED_LICENSE = 7,
  DRM_NEEDS_INDIVIDUALIZATION = 8,
  DRM_PLAY_OPL_NOTIFICATION = 9,
  DRM_COPY_OPL_NOTIFICATION = 10,
  DRM_REFRESHCRL_COMPLETE = 11
} MSDRM_STATUS;

typedef struct _WM_BACKUP_RESTORE_STATUS {
  MSDRM_STATUS eStatus;
  BSTR bstrError;
} WM_BACKUP_RESTORE_STATUS;

typedef struct _WMDRM_LICENSE_FILTER {
  DWORD dwVersion;
  BSTR bstrKID;
  BSTR bstrRights;
  BSTR bstrAllowedSourceIDs;
} WMDRM_LICENSE_FILTER;

typedef enum DRM_ACTION_ALLOWED_QUERY_RESULTS : std::uint32_t {
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED = 0x0001,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_NO_LICENSE = 0x0002,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_NO_RIGHT = 0x0004,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_EXHAUSTED = 0x0008,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_EXPIRED = 0x0010,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_NOT_STARTED = 0x0020,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_APPSEC_TOO_LOW = 0x0040,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_REQ_INDIV = 0x0080,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_COPY_OPL_TOO_LOW = 0x0100,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_COPY_OPL_EXCLUDED = 0x0200,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_NO_CLOCK_SUPPORT = 0x0400,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_NO_METERING_SUPPORT = 0x0800,
  DRM_ACTION_ALLOWED_QUERY_NOT_ENABLED_CHAIN_DEPTH_TOO_HIGH = 0x1000
} DRM_ACTION_ALLOWED_QUERY_RESULTS;

struct IWMDRMIndividualizationStatus : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetStatus(WM_INDIVIDUALIZE_STATUS *status) = 0;
};
WMF_IID(IWMDRMIndividualizationStatus, 0x7DB091BD, 0xDB6A, 0x4FA4, 0xBC, 0xBF, 0x07, 0x83, 0xE2, 0x56, 0xC7, 0x8C);

struct IWMDRMLicenseBackupRestoreStatus : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetStatus(WM_BACKUP_RESTORE_STATUS *status) = 0;
};
WMF_IID(IWMDRMLicenseBackupRestoreStatus, 0xF653C5A2, 0x0EB3, 0x4503, 0x9D, 0x88, 0xC2, 0x00, 0x55, 0x2D, 0x0D, 0x55);

struct IWMDRMNonSilentLicenseAquisition : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetURL(BSTR *url) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetChallenge(BSTR *challenge) = 0;
};
WMF_IID(IWMDRMNonSilentLicenseAquisition, 0x8AE059DD, 0xBE6B, 0x481A, 0x86, 0x3A, 0x59, 0x05, 0x6B, 0x50, 0xB7, 0x48);

// --- objects -----------------------------------------------------------------------------------------------------------

struct IWMDRMProvider : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE CreateObject(REFIID riid, void **object) = 0;
};
WMF_IID(IWMDRMProvider, 0x98DC8917, 0x8640, 0x4B1D, 0x9F, 0x1E, 0xA5, 0x90, 0xD4, 0x03, 0x57, 0xEE);

// Certificates, revocation lists and content enablers of Windows are not portable; their methods are left out.
struct IWMDRMSecurity : IWMDRMEventGenerator {
  virtual HRESULT STDMETHODCALLTYPE GetSecurityVersion(BSTR *version) = 0;
  virtual HRESULT STDMETHODCALLTYPE PerformSecurityUpdate(DWORD flags, IUnknown **cookie) = 0;
};
WMF_IID(IWMDRMSecurity, 0x70800F56, 0x5239, 0x4A0B, 0xA8, 0xB8, 0xD5, 0x3C, 0x6B, 0xAE, 0x41, 0x71);

// Encryption, decryption, output protection and the license's own bytes are not portable; their methods are left out.
struct IWMDRMLicense : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE ResetEnumeration() = 0;
  virtual HRESULT STDMETHODCALLTYPE GetNext() = 0;
  virtual HRESULT STDMETHODCALLTYPE GetLicenseProperty(BSTR name, PROPVARIANT *value) = 0;
  virtual HRESULT STDMETHODCALLTYPE PersistLicense() = 0;
  virtual HRESULT STDMETHODCALLTYPE CanPersist(BOOL *can) = 0;
};
WMF_IID(IWMDRMLicense, 0xC9E0A5F3, 0xDD22, 0x4DC4, 0xB7, 0x95, 0x88, 0xFA, 0x91, 0xF0, 0x51, 0x6B);

struct IWMDRMLicenseQuery : IUnknown {
  virtual HRESULT STDMETHODCALLTYPE QueryLicenseState(BSTR kid, DWORD count, BSTR actions[],
                                                      DRM_LICENSE_STATE_DATA states[]) = 0;
  virtual HRESULT STDMETHODCALLTYPE SetActionAllowedQueryParams(BOOL is_mf, DWORD level, BOOL has_serial_number,
                                                                BSTR certificate) = 0;
  virtual HRESULT STDMETHODCALLTYPE QueryActionAllowed(BSTR kid, BSTR version, DWORD count, BSTR actions[],
                                                       DWORD results[]) = 0;
};
WMF_IID(IWMDRMLicenseQuery, 0x20B970DF, 0x0A58, 0x4D3C, 0x81, 0x7C, 0x4E, 0x3C, 0xCB, 0xB2, 0x53, 0xAC);

struct IWMDRMLicenseManagement : IWMDRMEventGenerator {
  virtual HRESULT STDMETHODCALLTYPE CreateLicenseEnumeration(WMDRM_LICENSE_FILTER *filter, IWMDRMLicense **license) = 0;
  virtual HRESULT STDMETHODCALLTYPE DeleteLicense(BSTR kid, DWORD flags) = 0;
  virtual HRESULT STDMETHODCALLTYPE CleanLicenseStore(DWORD flags, IUnknown **cookie) = 0;
  virtual HRESULT STDMETHODCALLTYPE StoreLicense(BSTR response) = 0;
  virtual HRESULT STDMETHODCALLTYPE AcquireLicense(BSTR url, BSTR header, BSTR actions, DWORD flags,
                                                   IUnknown **cookie) = 0;
  virtual HRESULT STDMETHODCALLTYPE MonitorLicenseAcquisition(BSTR kid, BSTR header, BSTR actions, IUnknown **cookie) = 0;
  virtual HRESULT STDMETHODCALLTYPE BackupLicenses(BSTR folder, DWORD flags, IUnknown **cookie) = 0;
  virtual HRESULT STDMETHODCALLTYPE RestoreLicenses(BSTR folder, DWORD flags, IUnknown **cookie) = 0;
  virtual HRESULT STDMETHODCALLTYPE CreateLicenseRevocationChallenge(BYTE *machine_id, DWORD machine_id_size,
                                                                     BYTE *challenge, DWORD challenge_size, BYTE **out,
                                                                     DWORD *out_size) = 0;
  virtual HRESULT STDMETHODCALLTYPE ProcessLicenseRevocationResponse(BYTE *response, DWORD size, BYTE **ack,
                                                                     DWORD *ack_size) = 0;
  virtual HRESULT STDMETHODCALLTYPE ProcessLicenseDeletionMessage(BSTR message) = 0;
};
WMF_IID(IWMDRMLicenseManagement, 0xF4828DC7, 0x8945, 0x4D05, 0xAB, 0x05, 0x66, 0x7A, 0xB9, 0x9D, 0x29, 0xEE);

#endif
