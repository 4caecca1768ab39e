/* Help, man pages and shell completion, all from the command and option tables. */
#include "cli.h"
#include <string.h>

void help_overview(FILE *to) {
    fprintf(to, "deeper trains deep image classifiers on the CPU, reproducibly.\n\nUsage:\n");
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        fprintf(to, "  deeper %-8s %-24s %s\n", c->name, c->arguments, c->summary);
    fprintf(to, "  deeper %-8s %-24s %s\n", "help", "[COMMAND]", "this text, or that of a command");
    fprintf(to,
            "\nNET is a file, or the text of a network: \"input 28 28 1, linear 1024, relu, linear "
            "classes\".\nDATA is a folder of IDX or CIFAR-10 files, or of pictures, one folder per "
            "class.\n@FILE in place of options reads more of them from a file.\n\n"
            "DEEPER_LOG=topic:level,... on stderr; topics: general, data, pass, dispatch, team, "
            "train, all;\nlevels: warning, info, debug.\n"
            "Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
}

/* "--epochs N" or "-o, --out FILE". */
static void spell(const struct option *o, char *out, size_t bytes) {
    snprintf(out, bytes, "%s%.1s%s--%s%s%s", o->letter ? "-" : "", o->letter ? &o->letter : "",
             o->letter ? ", " : "", o->name, o->value ? " " : "", o->value ? o->value : "");
}

static void print_words(const struct option *o, FILE *to) {
    for (size_t i = 0; o->words != NULL && o->words[i] != NULL; i++)
        fprintf(to, "%s%s", i > 0 ? ", " : "", o->words[i]);
}

void help_command(const struct command *c, FILE *to) {
    fprintf(to, "deeper %s %s\n%s.\n", c->name, c->arguments, c->summary);
    if (c->more != NULL)
        fprintf(to, "\n%s\n", c->more);
    fprintf(to, "\nOptions:\n");
    for (const struct option *o = c->options; o->name != NULL; o++) {
        char spelling[64];
        spell(o, spelling, sizeof spelling);
        fprintf(to, "  %-26s %s", spelling, o->help);
        if (o->kind == OPTION_WORD) {
            fprintf(to, ": ");
            print_words(o, to);
        }
        if (o->otherwise != NULL)
            fprintf(to, " (default %s)", o->otherwise);
        fprintf(to, "\n");
    }
    fprintf(to, "  %-26s %s\n", "--help", "this text");
}

/* ---- man pages ---- */

/* roff: a line must not begin with a control character, and '-' and '\' are escaped. */
static void roff(FILE *to, const char *text) {
    for (const char *p = text; *p != '\0'; p++) {
        if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
            fputs("\\&", to);
        if (*p == '-' || *p == '\\')
            fputc('\\', to);
        fputc(*p, to);
    }
}

static void man_options(const struct command *c, FILE *to) {
    fprintf(to, ".SH OPTIONS\n");
    for (const struct option *o = c->options; o->name != NULL; o++) {
        char spelling[64];
        spell(o, spelling, sizeof spelling);
        fprintf(to, ".TP\n.B ");
        roff(to, spelling);
        fprintf(to, "\n");
        roff(to, o->help);
        if (o->kind == OPTION_WORD) {
            fprintf(to, ": ");
            print_words(o, to);
        }
        fprintf(to, ".");
        if (o->otherwise != NULL) {
            fprintf(to, " Default: ");
            roff(to, o->otherwise);
            fprintf(to, ".");
        }
        fprintf(to, "\n");
    }
}

void help_man(const struct command *c, FILE *to) {
    if (c == NULL) {
        fprintf(to, ".TH DEEPER 1 \"\" \"deeper %s\"\n.SH NAME\n", dpr_version());
        fprintf(to, "deeper \\- train deep image classifiers on the CPU, reproducibly\n");
        fprintf(to, ".SH SYNOPSIS\n.B deeper\nCOMMAND [ARGUMENTS] [OPTIONS]\n.SH COMMANDS\n");
        for (c = COMMANDS; c->name != NULL; c++) {
            fprintf(to, ".TP\n.B %s ", c->name);
            roff(to, c->arguments);
            fprintf(to, "\n");
            roff(to, c->summary);
            fprintf(to, ".\nSee \n.BR deeper\\-%s (1).\n", c->name);
        }
        fprintf(to, ".SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage, 130 interrupted.\n");
        return;
    }
    fprintf(to, ".TH DEEPER\\-%s 1 \"\" \"deeper %s\"\n.SH NAME\n", c->name, dpr_version());
    fprintf(to, "deeper\\-%s \\- ", c->name);
    roff(to, c->summary);
    fprintf(to, "\n.SH SYNOPSIS\n.B deeper %s\n", c->name);
    roff(to, c->arguments);
    fprintf(to, "\n.SH DESCRIPTION\n");
    roff(to, c->summary);
    fprintf(to, ".\n");
    if (c->more != NULL) {
        fprintf(to, ".PP\n");
        roff(to, c->more);
        fprintf(to, "\n");
    }
    man_options(c, to);
    fprintf(to, ".SH SEE ALSO\n.BR deeper (1)\n");
}

/* ---- completion ---- */

void help_completion(FILE *to) {
    fprintf(to, "# bash completion for deeper\n_deeper() {\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        fprintf(to, "%s ", c->name);
    fprintf(to, "help\" -- \"$word\"))\n        return\n    fi\n"
                "    case ${COMP_WORDS[1]}:$last in\n");
    for (const struct command *c = COMMANDS; c->name != NULL; c++)
        for (const struct option *o = c->options; o->name != NULL; o++)
            if (o->kind == OPTION_WORD) {
                fprintf(to, "    %s:--%s) COMPREPLY=($(compgen -W \"", c->name, o->name);
                for (size_t i = 0; o->words[i] != NULL; i++)
                    fprintf(to, "%s ", o->words[i]);
                fprintf(to, "\" -- \"$word\")); return;;\n");
            }
    fprintf(to, "    esac\n    case ${COMP_WORDS[1]} in\n");
    for (const struct command *c = COMMANDS; c->name != NULL; c++) {
        fprintf(to, "    %s) [[ $word == -* ]] && COMPREPLY=($(compgen -W \"", c->name);
        for (const struct option *o = c->options; o->name != NULL; o++)
            fprintf(to, "--%s ", o->name);
        fprintf(to, "--help\" -- \"$word\"));;\n");
    }
    fprintf(to, "    esac\n}\ncomplete -o default -F _deeper deeper\n");
}
