/* Elementwise kernels, avx512. */
#define SPAN(op) dpr__##op##_avx512
#include "backend/cpu/span_tmpl.h"
