/* Kernels of maps, generic. */
#define MAPS(name) dpr__##name##_maps_generic
#include "backend/cpu/maps_tmpl.h"
