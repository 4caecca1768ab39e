/* kernel */
/* Chains of elementwise ops: one float as a vector, for every machine: the compiler makes vectors of what it can. */
#include "backend/cpu/vector_generic.h"
#define STRIP_NAME(name) dpr__##name##_generic
#include "backend/cpu/strip_tmpl.h"
