/* Sums of columns, avx512. */
#include "backend/cpu/vector_avx512.h"
#define SUMS_NAME dpr__sums_avx512
#include "backend/cpu/sums_tmpl.h"
