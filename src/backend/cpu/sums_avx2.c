/* Sums of columns, avx2. */
#include "backend/cpu/vector_avx2.h"
#define SUMS_NAME dpr__sums_avx2
#include "backend/cpu/sums_tmpl.h"
