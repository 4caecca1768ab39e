/* Row kernels that compute with floats, avx2. */
#define ROWS_NAME(name) dpr__##name##_rows_avx2
#include "backend/cpu/rows_tmpl.h"
