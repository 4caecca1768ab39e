/* kernel */
/* Chains of elementwise ops: vectors of AVX-512. */
#include "backend/cpu/vector_avx512.h"
#define STRIP_NAME(name) dpr__##name##_avx512
#include "backend/cpu/strip_tmpl.h"
