/* kernel */
/* Chains of elementwise ops: vectors of AVX2. */
#include "backend/cpu/vector_avx2.h"
#define STRIP_NAME(name) dpr__##name##_avx2
#include "backend/cpu/strip_tmpl.h"
