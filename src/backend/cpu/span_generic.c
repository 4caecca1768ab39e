/* Elementwise kernels, generic. */
#define SPAN(op) dpr__##op##_generic
#include "backend/cpu/span_tmpl.h"
