/* Winograd's transforms, generic. */
#include "backend/cpu/vector_generic.h"
#define WINOGRAD_NAME dpr__winograd_generic
#define WINOGRAD_FILTERS dpr__winograd_filters_generic
#include "backend/cpu/winograd_tmpl.h"
