/* Kernels of windows, avx2. */
#define MAPS(name) dpr__##name##_maps_avx2
#define MOST_VECTORS 4
#include "backend/cpu/windows_tmpl.h"
