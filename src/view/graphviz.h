/* Running Graphviz's `dot` where it is installed. */
#ifndef DPR_VIEW_GRAPHVIZ_H
#define DPR_VIEW_GRAPHVIZ_H

#include "base/status.h"
#include <deeper/tools.h>

/* Lays out DOT text in the format that the flag asks for ("-Tsvg") and writes it to `path`, atomically.
 * DPR_E_UNSUPPORTED where there is no `dot`. */
dpr_status dpr__graphviz(dpr_context *context, const char *dot, const char *format,
                         const char *path);

#endif
