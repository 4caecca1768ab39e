/* Finding a recipe by its name (recipes.h). */
#include "recipes.h"
#include "cli.h"
#include <string.h>

const char *recipe_text(const char *place, const char *name) {
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < n_recipes; i++) {
        if (strcmp(recipe_names[i], name) == 0)
            return recipe_texts[i];
        if (used < sizeof list - 64)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%.60s", i > 0 ? ", " : "",
                                     recipe_names[i]);
    }
    const char *nearest = dpr_nearest_word(name, recipe_names, n_recipes);
    if (nearest != NULL)
        complain(EXIT_USAGE, "%sthere is no recipe '%s'; did you mean '%s'?", place, name, nearest);
    else
        complain(EXIT_USAGE, "%sthere is no recipe '%s'; there are %s", place, name, list);
    return NULL;
}
