/* Row kernels that compute with floats, for every machine. */
#define ROWS_NAME(name) dpr__##name##_rows_generic
#include "backend/cpu/rows_tmpl.h"
