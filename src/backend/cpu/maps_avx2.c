/* Kernels of maps, avx2. */
#define MAPS(name) dpr__##name##_maps_avx2
#include "backend/cpu/maps_tmpl.h"
