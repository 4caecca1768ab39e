/* Sums of columns, generic. */
#include "backend/cpu/vector_generic.h"
#define SUMS_NAME dpr__sums_generic
#include "backend/cpu/sums_tmpl.h"
