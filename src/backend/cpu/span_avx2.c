/* Elementwise kernels, avx2. */
#define SPAN(op) dpr__##op##_avx2
#include "backend/cpu/span_tmpl.h"
