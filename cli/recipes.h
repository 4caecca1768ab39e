/* The option files that ship: recipes/NAME.options, which the build writes into a C file (cmake/presets.cmake). The first line of each
 * is a comment that says what it is for. */
#ifndef DEEPER_CLI_RECIPES_H
#define DEEPER_CLI_RECIPES_H

#include <stddef.h>

extern const char *const recipe_names[]; /* sorted */
extern const char *const recipe_texts[];
extern const size_t n_recipes;

/* The text of a recipe by its name; NULL after a message that begins with `place`. */
const char *recipe_text(const char *place, const char *name);

#endif
