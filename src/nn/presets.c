/* Finding a preset by its name (presets.h). */
#include "nn/presets.h"
#include "base/context.h"
#include "nn/net.h"
#include "nn/parse.h"
#include <string.h>

const char *const *dpr_preset_names(size_t *n) {
    *n = dpr__n_presets;
    return dpr__preset_names;
}

const char *dpr_preset_text(const char *name) {
    for (size_t i = 0; i < dpr__n_presets; i++)
        if (strcmp(dpr__preset_names[i], name) == 0)
            return dpr__preset_texts[i];
    return NULL;
}

dpr_status dpr__preset_resolve(dpr_context *context, const char *net, const char **text) {
    static const char PREFIX[] = "preset:";
    char help[512];
    *text = net;
    if (strncmp(net, PREFIX, sizeof PREFIX - 1) != 0)
        return DPR_OK;
    const char *name = net + sizeof PREFIX - 1;
    *text = dpr_preset_text(name);
    if (*text != NULL)
        return DPR_OK;
    return DPR_FAIL(context, DPR_E_ARGUMENT, "unknown preset '%.100s'; %s", name,
                    dpr__suggest(name, dpr__preset_names, dpr__n_presets, help));
}
