/* The networks that ship: presets/NAME.net, which the build writes into a C file (cmake/presets.cmake). */
#ifndef DPR_NN_PRESETS_H
#define DPR_NN_PRESETS_H

#include <stddef.h>

extern const char *const dpr__preset_names[]; /* sorted */
extern const char *const dpr__preset_texts[];
extern const size_t dpr__n_presets;

#endif
