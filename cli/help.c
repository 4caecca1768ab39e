/* Help, man pages and shell completion, all from the command and option tables. */
#include "cli.h"
#include "recipes.h"
#include <string.h>

static const char ABOUT[] = "trains deep image classifiers on the CPU, reproducible bit for bit";
static const char NOTES[] =
    "NET is a file, preset:NAME, or the text of a network: \"input 28 28 1, linear 1024, relu, "
    "linear "
    "classes\". "
    "MODEL is a .safetensors file that train has made. "
    "DATA is a directory of IDX files, of CIFAR-10 binary files, or of pictures, one folder a "
    "class.\n"
    "@FILE among the arguments stands for those that FILE holds; # begins a comment there. "
    "@recipe:NAME is a file that ships; see deeper train --help.\n";
static const char ENVIRONMENT[] =
    "DEEPER_LOG=TOPIC:LEVEL,... prints on stderr what goes on inside. Topics: general, data, pass, "
    "dispatch, team, train, all. Levels: warning, info, debug (where none is given).\n";
static const char STATUS[] =
    "0 done; 1 failed; 2 wrong usage; 130 stopped by Ctrl-C (128 + the signal's number).\n";

/* "Presets: airbench, …". */
static const char *presets_text(char out[512]) {
    size_t n, used = (size_t)snprintf(out, 512, "Presets: ");
    const char *const *names = dpr_preset_names(&n);
    for (size_t i = 0; i < n && used < 480; i++)
        used +=
            (size_t)snprintf(out + used, 512 - used, "%s%s", names[i], i + 1 < n ? ", " : ".\n");
    return out;
}

/* ---- paragraphs ---- */

/* Prints text from column `at` on, in lines of at most 80 columns; later lines begin at `indent`.
 * \n begins a line in the text, too. */
static void wrap(FILE *to, const char *text, int at, int indent) {
    enum { WIDTH = 80 };
    bool first = true;
    while (*text != '\0') {
        int n = (int)strcspn(text, " \n");
        if (!first && at + 1 + n > WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        at += fprintf(to, "%s%.*s", first ? "" : " ", n, text);
        first = false;
        text += n;
        if (*text == '\n' && text[1] != '\0') {
            fprintf(to, "\n%*s", indent, "");
            at = indent;
            first = true;
        }
        text += *text != '\0';
    }
    fputc('\n', to);
}

void help_overview(FILE *to) {
    fprintf(to, "deeper %s\n\n", ABOUT);
    for (size_t i = 0; COMMANDS[i].name != NULL; i++)
        fprintf(to, "  deeper %-13s %-15s %s\n", COMMANDS[i].name, COMMANDS[i].arguments,
                COMMANDS[i].summary);
    fprintf(to, "  deeper %-13s %-15s %s\n", "help", "[COMMAND]", "this text, or a command's");
    fprintf(to, "  deeper %-13s %-15s %s\n\n", "--version", "", "the version");
    char presets[512];
    wrap(to, NOTES, 0, 0);
    wrap(to, presets_text(presets), 0, 0);
    fputc('\n', to);
    wrap(to, ENVIRONMENT, 0, 0);
    fputs("Exit status: ", to);
    wrap(to, STATUS, 13, 0);
}

/* "-o, --out FILE". */
static void spell(const struct option *o, char out[64]) {
    const char short_form[] = {'-', o->letter, ',', ' ', '\0'};
    snprintf(out, 64, "%s--%s%s%s", o->letter != '\0' ? short_form : "", o->name,
             o->value != NULL ? " " : "", o->value != NULL ? o->value : "");
}

/* "which images (train, validation, test; default: test)". */
static void describe(const struct option *o, char out[512]) {
    struct settings defaults = settings_default();
    char value[64];
    bool has_default = option_default(o, &defaults, value)[0] != '\0';
    size_t n = (size_t)snprintf(out, 512, "%s%s", o->help, o->words || has_default ? " (" : "");
    for (size_t i = 0; o->words != NULL && o->words[i] != NULL && n < 400; i++)
        n += (size_t)snprintf(out + n, 512 - n, "%s%s", i > 0 ? ", " : "", o->words[i]);
    if (has_default)
        n += (size_t)snprintf(out + n, 512 - n, "%sdefault: %s", o->words ? "; " : "", value);
    if (o->words != NULL || has_default)
        snprintf(out + n, 512 - n, ")");
}

static void each_example(const struct command *c, void (*print)(FILE *, const char *), FILE *to) {
    char text[128];
    for (const char *line = c->examples; *line != '\0'; line += strcspn(line, "\n") + 1) {
        snprintf(text, sizeof text, "deeper %.*s", (int)strcspn(line, "\n"), line);
        print(to, text);
    }
}

static void print_indented(FILE *to, const char *text) {
    fprintf(to, "  %s\n", text);
}

/* Length of the first line of a recipe without "# ": what it is for. */
static int recipe_about(const char *text, const char **about) {
    *about = text + strspn(text, "# ");
    return (int)strcspn(*about, "\n");
}

static void help_recipes(FILE *to) {
    enum { INDENT = 27 };
    char spelling[80], about[256];
    const char *text;
    fprintf(to, "\nRecipes, files of options that ship (deeper help @recipe:NAME prints one):\n");
    for (size_t i = 0; i < n_recipes; i++) {
        int n = recipe_about(recipe_texts[i], &text);
        snprintf(spelling, sizeof spelling, "@recipe:%.60s", recipe_names[i]);
        snprintf(about, sizeof about, "%.*s", n, text);
        fprintf(to, "  %-*s", INDENT - 2, spelling);
        wrap(to, about, INDENT, INDENT);
    }
}

void help_command(const struct command *c, FILE *to) {
    enum { INDENT = 27 };
    char spelling[64], text[512];
    fprintf(to, "deeper %s %s [OPTIONS]\n", c->name, c->arguments);
    wrap(to, c->summary, 0, 0);
    if (c->more != NULL) {
        fputc('\n', to);
        wrap(to, c->more, 0, 0);
    }
    fputs("\nExamples:\n", to);
    each_example(c, print_indented, to);
    fprintf(to, "\nOptions:\n");
    for (const struct option *o = c->options; o->name != NULL; o++) {
        spell(o, spelling);
        describe(o, text);
        fprintf(to, "  %-*s", INDENT - 2, spelling);
        if (strlen(spelling) > INDENT - 3)
            fprintf(to, "\n%*s", INDENT, "");
        wrap(to, text, INDENT, INDENT);
    }
    fprintf(to, "  %-*s%s\n", INDENT - 2, "-h, --help", "this text");
    if (c->run == command_train)
        help_recipes(to);
}

/* ---- man pages ---- */

/* roff: a line must not begin with a control character, and '-' and '\' are escaped. */
static void roff(FILE *to, const char *text) {
    for (const char *p = text; *p != '\0'; p++) {
        if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
            fputs("\\&", to);
        if (*p == '\\')
            fputs("\\e", to);
        else if (*p == '-')
            fputs("\\-", to);
        else if (*p == '\n' && p[1] != '\0')
            fputs("\n.PP\n", to);
        else if (*p != '\n')
            fputc(*p, to);
    }
    fputc('\n', to);
}

/* "data info" is called deeper-data-info where a name has one word. */
static void page_name(const struct command *c, char out[64]) {
    snprintf(out, 64, "deeper-%s", c->name);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == ' ' ? '-' : *p;
}

static void man_main(FILE *to) {
    char name[64], text[64], presets[512];
    fprintf(to, ".TH DEEPER 1 \"\" \"deeper %s\"\n.SH NAME\ndeeper \\- ", dpr_version());
    roff(to, ABOUT);
    fprintf(to, ".SH SYNOPSIS\n.B deeper\nCOMMAND ARGUMENTS [OPTIONS]\n.SH DESCRIPTION\n");
    roff(to, NOTES);
    fprintf(to, ".PP\n");
    roff(to, presets_text(presets));
    fprintf(to, ".SH COMMANDS\n");
    for (size_t i = 0; COMMANDS[i].name != NULL; i++) {
        page_name(&COMMANDS[i], name);
        snprintf(text, sizeof text, "%s %s", COMMANDS[i].name, COMMANDS[i].arguments);
        fprintf(to, ".TP\n.B ");
        roff(to, text);
        roff(to, COMMANDS[i].summary);
        fprintf(to, ".br\nSee\n.BR %s (1).\n", name);
    }
    fprintf(to, ".SH ENVIRONMENT\n");
    roff(to, ENVIRONMENT);
    fprintf(to, ".SH EXIT STATUS\n");
    roff(to, STATUS);
}

static void man_recipes(FILE *to) {
    char about[256];
    const char *text;
    fprintf(to, ".SH RECIPES\n");
    for (size_t i = 0; i < n_recipes; i++) {
        int n = recipe_about(recipe_texts[i], &text);
        snprintf(about, sizeof about, "%.*s", n, text);
        fprintf(to, ".TP\n.B @recipe:%s\n", recipe_names[i]);
        roff(to, about);
    }
}

void help_man(const struct command *c, FILE *to) {
    char name[64], text[512];
    if (c == NULL) {
        man_main(to);
        return;
    }
    page_name(c, name);
    fprintf(to, ".TH ");
    for (const char *p = name; *p != '\0'; p++)
        fputc(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p, to);
    fprintf(to, " 1 \"\" \"deeper %s\"\n.SH NAME\n%s \\- ", dpr_version(), name);
    roff(to, c->summary);
    fprintf(to, ".SH SYNOPSIS\n.B deeper %s\n", c->name);
    snprintf(text, sizeof text, "%s [OPTIONS]", c->arguments);
    roff(to, text);
    fprintf(to, ".SH DESCRIPTION\n");
    roff(to, c->more != NULL ? c->more : c->summary);
    fprintf(to, ".SH OPTIONS\n");
    for (const struct option *o = c->options; o->name != NULL; o++) {
        spell(o, text);
        fprintf(to, ".TP\n.B ");
        roff(to, text);
        describe(o, text);
        roff(to, text);
    }
    if (c->run == command_train)
        man_recipes(to);
    fprintf(to, ".SH EXAMPLES\n.nf\n");
    each_example(c, roff, to);
    fprintf(to, ".fi\n.SH SEE ALSO\n.BR deeper (1)\n");
}

/* ---- completion ---- */

/* Whether row i is the first of those that begin with the same word. */
static bool is_first(size_t i) {
    size_t n = strcspn(COMMANDS[i].name, " ");
    return i == 0 || strcspn(COMMANDS[i - 1].name, " ") != n ||
           strncmp(COMMANDS[i - 1].name, COMMANDS[i].name, n) != 0;
}

static void print_first_words(FILE *to) {
    for (size_t i = 0; COMMANDS[i].name != NULL; i++)
        if (is_first(i))
            fprintf(to, "%.*s ", (int)strcspn(COMMANDS[i].name, " "), COMMANDS[i].name);
}

/* First words, and the second words of commands of two. */
static void complete_commands(FILE *to) {
    fprintf(to, "    if [ \"$COMP_CWORD\" = 1 ]; then\n        COMPREPLY=($(compgen -W \"");
    print_first_words(to);
    fprintf(to, "help --version\" -- \"$word\"))\n        return\n    fi\n    case $command in\n");
    for (size_t i = 0; COMMANDS[i].name != NULL; i++) {
        int n = (int)strcspn(COMMANDS[i].name, " ");
        if (COMMANDS[i].name[n] == '\0')
            continue;
        if (is_first(i))
            fprintf(to, "    %.*s) words='", n, COMMANDS[i].name);
        fprintf(to, "%s ", COMMANDS[i].name + n + 1);
        if (COMMANDS[i + 1].name == NULL || is_first(i + 1))
            fprintf(to, "'; command+=\" ${COMP_WORDS[2]}\";;\n");
    }
    fprintf(to, "    help) words='");
    print_first_words(to);
    fprintf(to, "';;\n    esac\n    if [ -n \"$words\" ] && [ \"$COMP_CWORD\" = 2 ]; then\n"
                "        COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n        return\n"
                "    fi\n");
}

/* Behind "preset:" or "@recipe:". Bash ends words at ':', unless it is told otherwise, and takes what follows for the word. */
static void complete_names(FILE *to, const char *prefix, const char *const *names, size_t n) {
    fprintf(to, "    case $typed in *%s*)\n        COMPREPLY=($(compgen -P \"${keep:+%s}\" -W \"",
            prefix, prefix);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "%s ", names[i]);
    fprintf(to, "\" -- \"${typed##*%s}\")); return;;\n    esac\n", prefix);
}

void help_completion(FILE *to) {
    size_t n;
    const char *const *presets = dpr_preset_names(&n);
    fprintf(to, "# bash completion for deeper\n_deeper() {\n"
                "    local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
                "    local command=${COMP_WORDS[1]} words= typed=${COMP_LINE:0:COMP_POINT} "
                "keep=yes\n"
                "    typed=${typed##*[[:space:]]}\n"
                "    [[ $COMP_WORDBREAKS == *:* ]] && keep=\n");
    complete_names(to, "preset:", presets, n);
    complete_names(to, "@recipe:", recipe_names, n_recipes);
    complete_commands(to);
    fprintf(to, "    case \"$command:$last\" in\n");
    for (size_t i = 0; COMMANDS[i].name != NULL; i++)
        for (const struct option *o = COMMANDS[i].options; o->name != NULL; o++)
            if (o->kind == OPTION_WORD) {
                fprintf(to, "    \"%s:--%s\") COMPREPLY=($(compgen -W \"", COMMANDS[i].name,
                        o->name);
                for (size_t k = 0; o->words[k] != NULL; k++)
                    fprintf(to, "%s ", o->words[k]);
                fprintf(to, "\" -- \"$word\")); return;;\n");
            }
    fprintf(to, "    esac\n    [[ $word == -* ]] || return\n    case \"$command\" in\n");
    for (size_t i = 0; COMMANDS[i].name != NULL; i++) {
        fprintf(to, "    \"%s\") COMPREPLY=($(compgen -W \"", COMMANDS[i].name);
        for (const struct option *o = COMMANDS[i].options; o->name != NULL; o++)
            fprintf(to, "--%s ", o->name);
        fprintf(to, "--help\" -- \"$word\"));;\n");
    }
    fprintf(to, "    esac\n}\ncomplete -o default -F _deeper deeper\n");
}
