/* Graphviz as a child process, without a shell (graphviz.h). Text and picture go through unnamed temporary files, so neither
 * side can block on a pipe. */
#include "view/graphviz.h"
#include "base/file.h"
#include "base/memory.h"
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static dpr_status spawn_dot(dpr_context *context, const char *format, FILE *in, FILE *out) {
    char program[] = "dot", flag[16];
    char *arguments[] = {program, flag, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int result = 0;
    strncpy(flag, format, sizeof flag - 1);
    flag[sizeof flag - 1] = '\0';
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(in), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(out), STDOUT_FILENO);
    int error = posix_spawnp(&child, program, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return DPR_FAIL(context, DPR_E_UNSUPPORTED,
                        "pictures are laid out by Graphviz, which is not installed: install the "
                        "package graphviz, or ask for a .dot file");
    if (error != 0)
        return DPR_FAIL(context, DPR_E_IO, "cannot run Graphviz's dot: %s", strerror(error));
    while (waitpid(child, &result, 0) < 0)
        if (errno != EINTR)
            return DPR_FAIL(context, DPR_E_IO, "lost Graphviz's dot: %s", strerror(errno));
    if (!WIFEXITED(result) || WEXITSTATUS(result) != 0)
        return DPR_FAIL(context, DPR_E_IO,
                        "Graphviz's dot failed; ask for a .dot file and see why");
    return DPR_OK;
}

static dpr_status take_out(FILE *picture, dpr__text *out) {
    char block[16384];
    size_t n;
    rewind(picture);
    while ((n = fread(block, 1, sizeof block, picture)) > 0)
        dpr__text_bytes(out, block, n);
    return out->status;
}

dpr_status dpr__graphviz_text(dpr_context *context, const char *dot, const char *format,
                              dpr__text *picture) {
    FILE *in = tmpfile(), *out = tmpfile();
    dpr_status status = DPR_OK;
    if (in == NULL || out == NULL || fwrite(dot, 1, strlen(dot), in) != strlen(dot) ||
        fflush(in) != 0)
        status = DPR_FAIL(context, DPR_E_IO, "cannot make a temporary file: %s", strerror(errno));
    if (status == DPR_OK) {
        rewind(in);
        status = spawn_dot(context, format, in, out);
    }
    if (status == DPR_OK)
        status = take_out(out, picture);
    if (in != NULL)
        fclose(in);
    if (out != NULL)
        fclose(out);
    return status;
}

dpr_status dpr__graphviz(dpr_context *context, const char *dot, const char *format,
                         const char *path) {
    dpr__text picture;
    dpr__text_init(&picture, context);
    return dpr__file_write_text(&picture, dpr__graphviz_text(context, dot, format, &picture), path);
}
