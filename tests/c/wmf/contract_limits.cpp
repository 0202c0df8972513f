// The ends of what numbers of the old API can say.
//
// contract_limits STORE
#include "contract.h"

// The year of a date, as programs show it.
static int YearOf(std::int64_t cSeconds) {
  const FILETIME time = wmf::file_time(cSeconds);
  SYSTEMTIME date = {};
  CHECK(FileTimeToSystemTime(&time, &date) == TRUE);
  return date.wYear;
}

static void DatesStopAtTheFirstAndTheLast() {
  CHECK(YearOf(INT64_MIN) == 1601 && YearOf(-11644473600) == 1601);
  CHECK(YearOf(0) == 1970 && YearOf(253402300799) == 9999);
  CHECK(YearOf(910692730085) == 30828 && YearOf(910692730086) == 30828);
  CHECK(YearOf(1833029933770) == 30828 && YearOf(INT64_MAX) == 30828);
}

int wmain(int, WCHAR *[]) {
  DatesStopAtTheFirstAndTheLast();
  return 0;
}
