#define ROWS_NAME(name) dpr__##name##_rows_generic
#include "backend/cpu/rows_tmpl.h"
