/*
 * wmlicense_wmf.h - the DRM part of the Windows Media Format SDK above wmlicense.h, for C++17.
 *
 * Code that was written for it compiles after its include line is replaced by
 *
 *   #include <wmlicense_wmf.h>
 *
 * and its link line by that of libwmlicense, and runs against wmlicensed. One call is new, because the original had one license
 * store for the machine and no accounts:
 *
 *   WMFSetClient(client);      an opened wm_client, before anything else; WMFSetClient(nullptr) at the end
 *
 * What is there, what means something else here, and what is not portable: docs/porting.md. Nothing here uses more than the C
 * functions of wmlicense.h, and everything is inline. It needs exceptions, but throws none at the application.
 *
 * Interfaces, structures and constants have the names of the SDK. On Windows they come from its own headers, and only the
 * classes behind wmf::CreateBackupRestorer and its like are added; the extended API is for other systems.
 */
#ifndef WMLICENSE_WMF_H
#define WMLICENSE_WMF_H

#include "wmlicense.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(_WIN32)
#include <windows.h>
#include <wmsdk.h>
#if defined(__MINGW32__)
#include "wmlicense_wmf/wmsdk_drm.h"
#else
#include <drmexternals.h>
#endif
#else
#include "wmlicense_wmf/codes.h"
#include "wmlicense_wmf/types.h"
#include "wmlicense_wmf/unknown.h"
#include "wmlicense_wmf/wmsdk.h"
#include "wmlicense_wmf/wmsdk_drm.h"
#endif

#include "wmlicense_wmf/text.h"

#include "wmlicense_wmf/object.h"

#include "wmlicense_wmf/worker.h"

#include "wmlicense_wmf/operation.h"

#include "wmlicense_wmf/status.h"

#include "wmlicense_wmf/backup_restorer.h"
#include "wmlicense_wmf/rights.h"

#include "wmlicense_wmf/editor.h"
#include "wmlicense_wmf/reader_state.h"

#include "wmlicense_wmf/reader.h"

namespace wmf {

// Sets the client that objects are made from from now on; NULL for none. It must be open. A reference is held until another one is
// set; objects hold their own. Fails with WM_E_INVALID_HANDLE.
inline HRESULT SetClient(wm_client *client) { return ClientOfProcess::instance().set(client); }

// Fails with E_INVALIDARG for NULL, NS_E_DRM_NOT_CONFIGURED while no client is set, and E_OUTOFMEMORY, as the following do.
inline HRESULT CreateBackupRestorer(IUnknown *callback, IWMLicenseBackup **out) {
  return guarded([&] { return BackupRestorer::create(callback, out); });
}

inline HRESULT CreateLicenseRevocationAgent(IUnknown *callback, IWMLicenseRevocationAgent **out) {
  return guarded([&] { return RevocationAgent::create(callback, out); });
}

// rights: WMT_RIGHTS, which Open looks for; 0 for none.
inline HRESULT CreateReader(IUnknown *, DWORD rights, IWMReader **out) {
  return guarded([&] { return Reader::create(rights, out); });
}

// Needs a client only for what licenses say.
inline HRESULT CreateEditor(IWMMetadataEditor **out) {
  return guarded([&]() -> HRESULT {
    if (out == nullptr) return E_INVALIDARG;
    *out = new Editor;
    return S_OK;
  });
}

// S_OK where a license is needed, S_FALSE where nothing says so.
inline HRESULT IsContentProtected(const WCHAR *file, BOOL *is_protected) {
  return guarded([&]() -> HRESULT {
    std::string path;
    bool is = false;
    if (is_protected == nullptr || !to_utf8(file, path)) return E_INVALIDARG;
    const wm_result result = wm_is_content_protected(path.c_str(), &is);
    if (result < 0) return file_result(result);
    *is_protected = is ? TRUE : FALSE;
    return result;
  });
}

}  // namespace wmf

inline HRESULT WMFSetClient(wm_client *client) { return wmf::SetClient(client); }

#if !defined(_WIN32)

#include "wmlicense_wmf/wmdrmsdk.h"

#include "wmlicense_wmf/events.h"

#include "wmlicense_wmf/event_values.h"

#include "wmlicense_wmf/event_operation.h"
#include "wmlicense_wmf/license.h"

#include "wmlicense_wmf/management.h"

inline HRESULT WMCreateBackupRestorer(IUnknown *callback, IWMLicenseBackup **backup) {
  return wmf::CreateBackupRestorer(callback, backup);
}
inline HRESULT WMCreateLicenseRevocationAgent(IUnknown *callback, IWMLicenseRevocationAgent **agent) {
  return wmf::CreateLicenseRevocationAgent(callback, agent);
}
inline HRESULT WMCreateReader(IUnknown *reserved, DWORD rights, IWMReader **reader) {
  return wmf::CreateReader(reserved, rights, reader);
}
inline HRESULT WMCreateEditor(IWMMetadataEditor **editor) { return wmf::CreateEditor(editor); }
inline HRESULT WMIsContentProtected(const WCHAR *file, BOOL *is_protected) { return wmf::IsContentProtected(file, is_protected); }

// The extended API. Start and end do nothing that is needed here: the client is what starts and ends.
inline HRESULT WMDRMStartup() { return S_OK; }
inline HRESULT WMDRMShutdown() { return S_OK; }
inline HRESULT WMDRMCreateProvider(IWMDRMProvider **provider) {
  return wmf::guarded([&] { return wmf::Provider::create(provider); });
}
// There is no stub library: what is permitted is permitted to every application that the service trusts.
inline HRESULT WMDRMCreateProtectedProvider(IWMDRMProvider **provider) { return WMDRMCreateProvider(provider); }

#endif

#endif
