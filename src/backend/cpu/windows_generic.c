/* Kernels of windows, generic. */
#define MAPS(name) dpr__##name##_maps_generic
#define MOST_VECTORS 1
#include "backend/cpu/windows_tmpl.h"
