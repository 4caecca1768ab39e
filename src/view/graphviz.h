/* Running Graphviz's `dot` where it is installed. */
#ifndef DPR_VIEW_GRAPHVIZ_H
#define DPR_VIEW_GRAPHVIZ_H

#include "base/text.h"
#include <deeper/tools.h>

/* Lays out DOT text in the format that the flag asks for ("-Tsvg") and appends it. DPR_E_UNSUPPORTED where there is no `dot`. */
dpr_status dpr__graphviz_text(dpr_context *context, const char *dot, const char *format,
                              dpr__text *picture);
/* The same, written to `path`, atomically. */
dpr_status dpr__graphviz(dpr_context *context, const char *dot, const char *format,
                         const char *path);

#endif
