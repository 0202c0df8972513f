// What DRM alone has in the Windows Media Format SDK: names of rights and properties, structures of statuses, interfaces. Part of
// wmlicense_wmf.h, for other systems than Windows and for headers of Windows that lack it (those of MinGW).
#ifndef WMLICENSE_WMF_WMSDK_DRM_H
#define WMLICENSE_WMF_WMSDK_DRM_H

#if defined(_WIN32)
// The IID with what GCC for Windows takes for __uuidof.
#define WMF_IID(Interface, d1, d2, d3, b0, b1, b2, b3, b4, b5, b6, b7) \
  inline constexpr IID IID_##Interface = {d1, d2, d3, {b0, b1, b2, b3, b4, b5, b6, b7}}; \
  __CRT_UUID_DECL(Interface, d1, d2, d3, b0, b1, b2, b3, b4, b5, b6, b7) \
  static_assert(sizeof(Interface) > 0, "an interface")
#else
#include "wmsdk.h"
#endif

// --- rights, and properties by their names -----------------------------------------------------------------------------

inline constexpr WCHAR g_wszWMDRM_RIGHT_PLAYBACK[] = L"Play";
inline constexpr WCHAR g_wszWMDRM_RIGHT_COPY[] = L"Copy";
inline constexpr WCHAR g_wszWMDRM_RIGHT_PLAYLIST_BURN[] = L"PlaylistBurn";
inline constexpr WCHAR g_wszWMDRM_RIGHT_CREATE_THUMBNAIL_IMAGE[] = L"CreateThumbnailImage";
inline constexpr WCHAR g_wszWMDRM_RIGHT_BACKUP[] = L"Backup";
inline constexpr WCHAR g_wszWMDRM_RIGHT_COLLABORATIVE_PLAY[] = L"CollaborativePlay";
inline constexpr WCHAR g_wszWMDRM_RIGHT_COPY_TO_CD[] = L"Print.redbook";
inline constexpr WCHAR g_wszWMDRM_RIGHT_COPY_TO_SDMI_DEVICE[] = L"Transfer.SDMI";
inline constexpr WCHAR g_wszWMDRM_RIGHT_COPY_TO_NON_SDMI_DEVICE[] = L"Transfer.NONSDMI";

inline constexpr WCHAR g_wszWMDRM_ActionAllowed[] = L"ActionAllowed.";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_Playback[] = L"ActionAllowed.Play";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_Copy[] = L"ActionAllowed.Copy";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_PlaylistBurn[] = L"ActionAllowed.PlaylistBurn";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_CreateThumbnailImage[] = L"ActionAllowed.CreateThumbnailImage";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_Backup[] = L"ActionAllowed.Backup";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_CollaborativePlay[] = L"ActionAllowed.CollaborativePlay";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_CopyToCD[] = L"ActionAllowed.Print.redbook";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_CopyToSDMIDevice[] = L"ActionAllowed.Transfer.SDMI";
inline constexpr WCHAR g_wszWMDRM_ActionAllowed_CopyToNonSDMIDevice[] = L"ActionAllowed.Transfer.NONSDMI";

inline constexpr WCHAR g_wszWMDRM_LicenseState[] = L"LicenseStateData.";
inline constexpr WCHAR g_wszWMDRM_LicenseState_Playback[] = L"LicenseStateData.Play";
inline constexpr WCHAR g_wszWMDRM_LicenseState_Copy[] = L"LicenseStateData.Copy";
inline constexpr WCHAR g_wszWMDRM_LicenseState_PlaylistBurn[] = L"LicenseStateData.PlaylistBurn";
inline constexpr WCHAR g_wszWMDRM_LicenseState_CreateThumbnailImage[] = L"LicenseStateData.CreateThumbnailImage";
inline constexpr WCHAR g_wszWMDRM_LicenseState_Backup[] = L"LicenseStateData.Backup";
inline constexpr WCHAR g_wszWMDRM_LicenseState_CollaborativePlay[] = L"LicenseStateData.CollaborativePlay";
inline constexpr WCHAR g_wszWMDRM_LicenseState_CopyToCD[] = L"LicenseStateData.Print.redbook";
inline constexpr WCHAR g_wszWMDRM_LicenseState_CopyToSDMIDevice[] = L"LicenseStateData.Transfer.SDMI";
inline constexpr WCHAR g_wszWMDRM_LicenseState_CopyToNonSDMIDevice[] = L"LicenseStateData.Transfer.NONSDMI";

inline constexpr WCHAR g_wszWMDRM_IsDRM[] = L"IsDRM";
inline constexpr WCHAR g_wszWMDRM_IsDRMCached[] = L"IsDRMCached";
inline constexpr WCHAR g_wszWMDRM_BaseLicenseAcqURL[] = L"BaseLAURL";
inline constexpr WCHAR g_wszWMDRM_Rights[] = L"Rights";
inline constexpr WCHAR g_wszWMDRM_LicenseID[] = L"LID";
inline constexpr WCHAR g_wszWMDRM_DRMHeader[] = L"DRMHeader.";
inline constexpr WCHAR g_wszWMDRM_DRMHeader_KeyID[] = L"DRMHeader.KID";
inline constexpr WCHAR g_wszWMDRM_DRMHeader_LicenseAcqURL[] = L"DRMHeader.LAINFO";
inline constexpr WCHAR g_wszWMDRM_DRMHeader_ContentID[] = L"DRMHeader.CID";
inline constexpr WCHAR g_wszWMDRM_DRMHeader_IndividualizedVersion[] = L"DRMHeader.SECURITYVERSION";
inline constexpr WCHAR g_wszWMDRM_DRMHeader_ContentDistributor[] = L"DRMHeader.ContentDistributor";
inline constexpr WCHAR g_wszWMDRM_DRMHeader_SubscriptionContentID[] = L"DRMHeader.SubscriptionContentID";

inline constexpr WCHAR g_wszWMDRM_PRIORITY[] = L"PRIORITY";
inline constexpr WCHAR g_wszWMDRM_UplinkID[] = L"UplinkID";
inline constexpr WCHAR g_wszWMDRM_SOURCEID[] = L"SOURCEID";
inline constexpr WCHAR g_wszWMDRM_SAPLEVEL[] = L"SAPLEVEL";
inline constexpr WCHAR g_wszWMDRM_SAPRequired[] = L"SAPRequired";
inline constexpr WCHAR g_wszWMDRM_ISSUEDATE[] = L"ISSUEDATE";

// --- statuses ----------------------------------------------------------------------------------------------------------

typedef enum WMT_DRMLA_TRUST : int {
  WMT_DRMLA_UNTRUSTED = 0,
  WMT_DRMLA_TRUSTED = 1,
  WMT_DRMLA_TAMPERED = 2
} WMT_DRMLA_TRUST;

typedef enum DRM_HTTP_STATUS : int {
  HTTP_NOTINITIATED = 0,
  HTTP_CONNECTING = 1,
  HTTP_REQUESTING = 2,
  HTTP_RECEIVING = 3,
  HTTP_COMPLETED = 4
} DRM_HTTP_STATUS;

typedef enum DRM_INDIVIDUALIZATION_STATUS : int {
  INDI_UNDEFINED = 0x00,
  INDI_BEGIN = 0x01,
  INDI_SUCCEED = 0x02,
  INDI_FAIL = 0x04,
  INDI_CANCEL = 0x08,
  INDI_DOWNLOAD = 0x10,
  INDI_INSTALL = 0x20
} DRM_INDIVIDUALIZATION_STATUS;

typedef struct _WMGetLicenseData {
  DWORD dwSize;
  HRESULT hr;
  WCHAR *wszURL;
  WCHAR *wszLocalFilename;
  BYTE *pbPostData;
  DWORD dwPostDataSize;
} WM_GET_LICENSE_DATA;

typedef struct _WMIndividualizeStatus {
  HRESULT hr;
  DRM_INDIVIDUALIZATION_STATUS enIndiStatus;
  LPSTR pszIndiRespUrl;
  DWORD dwHTTPRequest;
  DRM_HTTP_STATUS enHTTPStatus;
  DWORD dwHTTPReadProgress;
  DWORD dwHTTPReadTotal;
} WM_INDIVIDUALIZE_STATUS;

// --- what is left of a right -------------------------------------------------------------------------------------------

typedef enum DRM_LICENSE_STATE_CATEGORY : int {
  WM_DRM_LICENSE_STATE_NORIGHT = 0,
  WM_DRM_LICENSE_STATE_UNLIM = 1,
  WM_DRM_LICENSE_STATE_COUNT = 2,
  WM_DRM_LICENSE_STATE_FROM = 3,
  WM_DRM_LICENSE_STATE_UNTIL = 4,
  WM_DRM_LICENSE_STATE_FROM_UNTIL = 5,
  WM_DRM_LICENSE_STATE_COUNT_FROM = 6,
  WM_DRM_LICENSE_STATE_COUNT_UNTIL = 7,
  WM_DRM_LICENSE_STATE_COUNT_FROM_UNTIL = 8,
  WM_DRM_LICENSE_STATE_EXPIRATION_AFTER_FIRSTUSE = 9
} DRM_LICENSE_STATE_CATEGORY;

#define DRM_LICENSE_STATE_DATA_VAGUE 0x00000001u
#define DRM_LICENSE_STATE_DATA_OPL_PRESENT 0x00000002u
#define DRM_LICENSE_STATE_DATA_SAP_PRESENT 0x00000004u

typedef struct _DRM_LICENSE_STATE_DATA {
  DWORD dwStreamId;
  DRM_LICENSE_STATE_CATEGORY dwCategory;
  DWORD dwNumCounts;
  DWORD dwCount[4];
  DWORD dwNumDates;
  FILETIME datetime[4];
  DWORD dwVague;
} DRM_LICENSE_STATE_DATA;

typedef struct _WM_LICENSE_STATE_DATA {
  DWORD dwSize;
  DWORD dwNumStates;
  DRM_LICENSE_STATE_DATA stateData[1];
} WM_LICENSE_STATE_DATA;

// --- interfaces --------------------------------------------------------------------------------------------------------

struct IWMBackupRestoreProps : public IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetPropCount(WORD *count) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetPropByIndex(WORD index, WCHAR *name, WORD *name_length, WMT_ATTR_DATATYPE *type,
                                                   BYTE *value, WORD *size) = 0;
  virtual HRESULT STDMETHODCALLTYPE GetPropByName(const WCHAR *name, WMT_ATTR_DATATYPE *type, BYTE *value, WORD *size) = 0;
  virtual HRESULT STDMETHODCALLTYPE SetProp(const WCHAR *name, WMT_ATTR_DATATYPE type, const BYTE *value, WORD size) = 0;
  virtual HRESULT STDMETHODCALLTYPE RemoveProp(const WCHAR *name) = 0;
  virtual HRESULT STDMETHODCALLTYPE RemoveAllProps() = 0;
};
WMF_IID(IWMBackupRestoreProps, 0x3C8E0DA6, 0x996F, 0x4FF3, 0xA1, 0xAF, 0x48, 0x38, 0xF9, 0x37, 0x7E, 0x2E);

struct IWMDRMEditor : public IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetDRMProperty(const WCHAR *name, WMT_ATTR_DATATYPE *type, BYTE *value,
                                                   WORD *size) = 0;
};
WMF_IID(IWMDRMEditor, 0xFF130EBC, 0xA6C3, 0x42A6, 0xB4, 0x01, 0xC3, 0x38, 0x2C, 0x3E, 0x08, 0xB3);

struct IWMLicenseRevocationAgent : public IUnknown {
  virtual HRESULT STDMETHODCALLTYPE GetLRBChallenge(BYTE *machine_id, DWORD machine_id_size, BYTE *challenge,
                                                    DWORD challenge_size, BYTE *out, DWORD *out_size) = 0;
  virtual HRESULT STDMETHODCALLTYPE ProcessLRB(BYTE *lrb, DWORD lrb_size, BYTE *ack, DWORD *ack_size) = 0;
};
WMF_IID(IWMLicenseRevocationAgent, 0x6967F2C9, 0x4E26, 0x4B57, 0x88, 0x94, 0x79, 0x98, 0x80, 0xF7, 0xAC, 0x7B);

#endif
